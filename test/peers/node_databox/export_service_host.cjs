/**
 * Loaded before the client: lets its fixed `https://export-service:8080` reach the service on
 * another port of this machine, and its `/run/secrets` be a folder of the test. Changes nothing
 * else: the client verifies the certificate and the name in it as it does in a Databox.
 */
const dns = require("node:dns");
const fs = require("node:fs");
const process = require("node:process");
const tls = require("node:tls");

const { SERVICE_PORT, SECRETS_FOLDER } = process.env;

const { lookup } = dns;
dns.lookup = (hostname, ...rest) =>
  lookup(hostname === "export-service" ? "127.0.0.1" : hostname, ...rest);

const { connect } = tls;
tls.connect = (options, ...rest) => {
  const fixed = options.host === "export-service" && Number(options.port) === 8080;
  return connect(fixed ? { ...options, port: Number(SERVICE_PORT) } : options, ...rest);
};

for (const name of ["existsSync", "readFileSync"]) {
  const original = fs[name];
  fs[name] = (path, ...rest) =>
    original(String(path).replace(/^\/run\/secrets(?=\/)/, SECRETS_FOLDER), ...rest);
}
