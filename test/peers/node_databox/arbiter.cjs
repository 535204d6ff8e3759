/**
 * An arbiter as Databox 0.5 has one, on the real ZeroMQ: knows the export service and the apps of
 * this machine, and mints what they were granted. Prints its port and its public key as one line of
 * JSON; ends with its standard input. Unlike the real one it hands out the same secret each time.
 */
const { Buffer } = require("node:buffer");
const { createHmac } = require("node:crypto");
const { hostname } = require("node:os");
const process = require("node:process");
const { curveKeyPair, Reply } = require("zeromq");

/** The secret and token of the export service; the token of the apps and where they may export. */
const { secret, serviceToken, appToken, destinations } = JSON.parse(process.env.ARBITER_SETTINGS);

const GET = 1;
const POST = 2;
const BAD_REQUEST = 128;
const UNAUTHORIZED = 129;

const OPTION_URI_HOST = 3;
const OPTION_URI_PATH = 11;

const TOKENS = new Map([["export-service", serviceToken], [hostname(), appToken]]);

function readZest(bytes) {
  const tokenEnd = 4 + bytes.readUInt16BE(2);
  const options = new Map();
  let at = tokenEnd;
  for (let seen = 0; seen < bytes[1]; seen++) {
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    options.set(bytes.readUInt16BE(at), bytes.toString("utf8", at + 4, end));
    at = end;
  }
  return {
    code: bytes[0],
    token: bytes.toString("utf8", 4, tokenEnd),
    host: options.get(OPTION_URI_HOST),
    path: options.get(OPTION_URI_PATH),
    payload: bytes.toString("utf8", at),
  };
}

function answer({ code, token, host, path, payload }) {
  if (TOKENS.get(host) !== token) return ack(UNAUTHORIZED);
  if (code === GET && path === "/store/secret" && host === "export-service") return content(secret);
  return code === POST && path === "/token" ? grant(JSON.parse(payload)) : ack(BAD_REQUEST);
}

/** Caveats must be those of a permission to the letter, as the container manager wrote it. */
function grant({ target, path, method, caveats }) {
  const routed = target === "export-service" && method === "POST" &&
    ["/export", "/lp/export"].includes(path);
  const granted = destinations.some((destination) =>
    JSON.stringify([{ destination }]) === JSON.stringify(caveats)
  );
  if (!routed || !granted) return ack(UNAUTHORIZED);
  return content(mint([
    `path = ${path}`,
    `method = ${method}`,
    `target = ${target}`,
    ...optionalCaveat(caveats),
  ]));
}

/** Only one object of one member becomes a caveat. */
function optionalCaveat(caveats) {
  if (!Array.isArray(caveats) || caveats.length !== 1) return [];
  const [[name, value], ...others] = Object.entries(caveats[0]);
  return name === "destination" && others.length === 0 ? [`destination = ${value}`] : [];
}

/** A macaroon with neither identifier nor location, in base64 with its padding. */
function mint(caveats) {
  let signature = hmac(hmac("macaroons-key-generator", secret), "");
  for (const caveat of caveats) signature = hmac(signature, caveat);
  const packets = [
    packet("location", ""),
    packet("identifier", ""),
    ...caveats.map((caveat) => packet("cid", caveat)),
    packet("signature", signature),
  ];
  const token = Buffer.concat(packets).toString("base64");
  return token.replaceAll("+", "-").replaceAll("/", "_");
}

function hmac(key, text) {
  return createHmac("sha256", key).update(text).digest();
}

function packet(name, value) {
  const body = Buffer.concat([Buffer.from(`${name} `), Buffer.from(value), Buffer.from("\n")]);
  const length = (body.length + 4).toString(16).padStart(4, "0");
  return Buffer.concat([Buffer.from(length), body]);
}

function ack(code) {
  return Buffer.from([code, 0, 0, 0]);
}

function content(text) {
  return Buffer.concat([Buffer.from("45010000000c00020000", "hex"), Buffer.from(text)]);
}

(async () => {
  const { publicKey, secretKey } = curveKeyPair();
  const socket = new Reply({ curveServer: true, curveSecretKey: secretKey, linger: 0 });
  await socket.bind("tcp://127.0.0.1:*");
  const { port } = new URL(socket.lastEndpoint);
  process.stdout.write(`${JSON.stringify({ port: Number(port), publicKey })}\n`);
  process.stdin.resume().on("end", () => process.exit(0));
  for await (const [request] of socket) await socket.send(answer(readZest(request)));
})();
