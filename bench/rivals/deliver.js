/**
 * One delivery, as both rivals on Node make it: by `fetch`, as most would write it, or by
 * `node:http` with keep-alive connections, which costs considerably less under Node 20.
 */
import { Agent, request, STATUS_CODES } from "node:http";

const agent = new Agent({ keepAlive: true });

function headersFor(id) {
  return { "content-type": "application/json", "idempotency-key": id };
}

function statusOf(code) {
  return `${code} ${STATUS_CODES[code]}`;
}

/** @returns what the destination answered, as it is on the wire */
export async function byFetch({ id, uri, data }) {
  const response = await fetch(uri, { method: "POST", headers: headersFor(id), body: data });
  return { status: statusOf(response.status), body: await response.text() };
}

/** @returns the same */
export function byHttp({ id, uri, data }) {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", agent, headers: headersFor(id) };
    const sending = request(uri, options, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => body += chunk);
      response.on("end", () => resolve({ status: statusOf(response.statusCode), body }));
      response.on("error", reject);
    });
    sending.on("error", reject);
    sending.end(data);
  });
}

/** @param client `fetch` or `http`, from the command line */
export function delivererFor(client) {
  return client === "http" ? byHttp : byFetch;
}
