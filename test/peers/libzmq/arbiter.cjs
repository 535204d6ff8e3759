/**
 * The part of an arbiter that hands out secrets, on libzmq: a REP socket, or a ROUTER. Prints its
 * port and keys as one line of JSON, then a line for each question; a line in tells how to behave
 * from now on, and comes back once that holds. Ends with its standard input.
 */
const { Buffer } = require("node:buffer");
const { randomUUID } = require("node:crypto");
const process = require("node:process");
const { createInterface } = require("node:readline");
const { curveKeyPair, Reply, Router } = require("zeromq");

/** The one service that is known; port and keys of an arbiter before, if there was one. */
const { socketType, name, token, port = "*", keys = curveKeyPair(), heartbeatMs = 0 } = JSON.parse(
  process.env.ARBITER_SETTINGS,
);

const GET = 1;
const BAD_REQUEST = 128;
const UNAUTHORIZED = 129;

const OPTION_URI_HOST = 3;
const OPTION_URI_PATH = 11;
const OPTION_CONTENT_FORMAT = 12;

/** `silent` holds answers back until it is over; `answer` gives these bytes, in hexadecimal. */
let behaviour = {};
let onChange = () => {};

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function readZest(bytes) {
  const tokenEnd = 4 + bytes.readUInt16BE(2);
  const options = new Map();
  let at = tokenEnd;
  for (let seen = 0; seen < bytes[1]; seen++) {
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    options.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, end));
    at = end;
  }
  return {
    code: bytes[0],
    token: bytes.toString("utf8", 4, tokenEnd),
    host: options.get(OPTION_URI_HOST)?.toString(),
    path: options.get(OPTION_URI_PATH)?.toString(),
    format: options.get(OPTION_CONTENT_FORMAT)?.readUInt16BE(),
    payload: bytes.toString("utf8", at),
  };
}

/** What the question gets, and the secret in it if there is one: a new one each time. */
function judge(question) {
  const { code, host, path } = question;
  if (host !== name || question.token !== token) return { answer: ack(UNAUTHORIZED) };
  if (code !== GET || path !== "/store/secret") return { answer: ack(BAD_REQUEST) };
  const secret = randomUUID();
  return { secret, answer: content(secret) };
}

function ack(code) {
  return Buffer.from([code, 0, 0, 0]);
}

function content(text) {
  return Buffer.concat([Buffer.from("45010000000c00020000", "hex"), Buffer.from(text)]);
}

async function obey() {
  for await (const line of createInterface({ input: process.stdin })) {
    behaviour = JSON.parse(line);
    onChange();
    tell({ behaviour });
  }
  process.exit(0);
}

async function serve() {
  const options = {
    curveServer: true,
    curveSecretKey: keys.secretKey,
    linger: 0,
    heartbeatInterval: heartbeatMs,
    // Else it is the interval, and whoever is slower than that is left.
    heartbeatTimeout: 60_000,
  };
  const socket = socketType === "ROUTER" ? new Router(options) : new Reply(options);
  await socket.bind(`tcp://127.0.0.1:${port}`);
  tell({ port: Number(new URL(socket.lastEndpoint).port), keys });
  for await (const frames of socket) {
    const question = readZest(frames.at(-1));
    // A ROUTER is given the envelope too: who asks, and an empty frame.
    const envelope = frames.slice(0, -1);
    const { answer, secret } = judge(question);
    tell({ question, secret, envelope: envelope.slice(1).map(({ length }) => length) });
    while (behaviour.silent) await new Promise((resolve) => onChange = resolve);
    const bytes = behaviour.answer === undefined ? answer : Buffer.from(behaviour.answer, "hex");
    await socket.send([...envelope, bytes]);
  }
}

obey();
serve();
