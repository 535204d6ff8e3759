/**
 * A name server on this machine, over UDP, whose answers a test decides question by question; and
 * the resolver that asks it. Leaves no socket behind.
 */
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { isIPv4, isIPv6 } from "node:net";
import type { Resolve } from "../../src/egress/guard.ts";

/** Addresses, and names for which a CNAME stands; `undefined` where there is no such name. */
export type Answers = (host: string, lookup: number) => readonly string[] | undefined;

export interface NameServer extends AsyncDisposable {
  /** Asks this server, and no other, for the addresses of a name. */
  readonly resolve: Resolve;
  /** The names that were asked for, in order. */
  readonly asked: readonly string[];
}

const A = 1;
const AAAA = 28;
const CNAME = 5;

export async function startNameServer(answers: Answers): Promise<NameServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  let lookup = 0;
  socket.on("message", (query: Uint8Array, { port, address }: RemoteInfo) => {
    socket.send(answerTo(query, (host) => answers(host, lookup)), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const nameServer = { ipAddr: "127.0.0.1", port: socket.address().port };
  return {
    asked,
    async resolve(host) {
      asked.push(host);
      lookup++;
      // With its final dot, so that no search domain is tried.
      const ask = (type: "A" | "AAAA") => Deno.resolveDns(`${host}.`, type, { nameServer });
      const both = await Promise.allSettled([ask("A"), ask("AAAA")]);
      return both.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** The question sent back with its answers (RFC 1035, 4.1). */
function answerTo(query: Uint8Array, addresses: (host: string) => readonly string[] | undefined) {
  const { host, type, end } = questionOf(query);
  const found = addresses(host);
  const records = found === undefined ? [] : recordsOf(QUESTION, type, found, addresses);
  const head = Uint8Array.from(query.subarray(0, 12));
  // An answer with recursion; no such name, or no error; one question; so many records.
  head.set([0x81, found === undefined ? 0x83 : 0x80, 0, 1], 2);
  head.set([records.length >> 8, records.length & 255, 0, 0, 0, 0], 6);
  return Uint8Array.from([...head, ...query.subarray(12, end), ...records.flat()]);
}

function questionOf(query: Uint8Array) {
  const labels: string[] = [];
  let at = 12;
  for (let length; (length = query[at] ?? 0) > 0; at += length + 1) {
    labels.push(String.fromCharCode(...query.subarray(at + 1, at + 1 + length)));
  }
  const host = labels.join(".").toLowerCase();
  return { host, type: query[at + 2] ?? 0, end: at + 5 };
}

/** Where the question has its name: records about it point there, which keeps answers short. */
const QUESTION: readonly number[] = [0xc0, 12];

function recordsOf(
  name: readonly number[],
  type: number,
  found: readonly string[],
  addresses: (host: string) => readonly string[] | undefined,
): number[][] {
  return found.flatMap((each) => {
    if (isIPv4(each)) return type === A ? [record(name, A, each.split(".").map(Number))] : [];
    if (isIPv6(each)) return type === AAAA ? [record(name, AAAA, octetsOf(each))] : [];
    const further = recordsOf(encodeName(each), type, addresses(each) ?? [], addresses);
    return [record(name, CNAME, encodeName(each)), ...further];
  });
}

/** A record of class IN that nobody may keep. */
function record(name: readonly number[], type: number, data: readonly number[]): number[] {
  return [...name, 0, type, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length, ...data];
}

function encodeName(host: string): number[] {
  const labels = host.split(".").map((label) => [label.length, ...new TextEncoder().encode(label)]);
  return [...labels.flat(), 0];
}

function octetsOf(address: string): number[] {
  // The URL parser writes every IPv6 address in hexadecimal.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text = "") => text.split(":").filter((group) => group !== "");
  const zeros = 8 - groups(head).length - groups(tail).length;
  return [...groups(head), ...Array(zeros).fill("0"), ...groups(tail)]
    .flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
}
