/**
 * The cases that lead to this machine, with sockets that nobody watches or turns aside: whoever
 * listens here, on every address there is, must not be reached.
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../src/clock.ts";
import { egressPolicy } from "../../src/config.ts";
import { isAddress, parseAddress } from "../../src/egress/cidr.ts";
import { createGuard } from "../../src/egress/guard.ts";
import { rangeOf } from "../../src/egress/ranges.ts";
import type { RequestResult } from "../../src/egress/request.ts";
import { hostOf } from "../../src/egress/spelling.ts";
import { startNameServer } from "../fakes/name_server.ts";
import { answering, listen } from "./destination.ts";
import { PLENTY_MS, sendVetted } from "./sending.ts";
import { answersOf, type Case, COLLECTED, FURTHER, settingsOf } from "./ssrf_cases.ts";

/** The same destination at another port, as written but for that. */
function atPort(url: string, port: number): string {
  return url.replace(/^(https?:\/\/[^/?#]*?)(?::\d*)?(?=[/?#]|$)/i, `$1:${port}`);
}

/** Addresses that lead to this machine in whatever notation, `0.0.0.0` and `::` included. */
function isHere(text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  return rangeOf(address).kind === "loopback" || /^(0\.0\.0\.0|::)$/.test(address.toString());
}

/** Whether a case leads here and nowhere else, so that a guard with a hole would harm nobody. */
function leadsHere({ url, dns, dns2, policy }: Case): boolean {
  const parsed = URL.parse(atPort(url, 1));
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || policy?.loopback) return false;
  const host = hostOf(parsed);
  if (isAddress(host)) return isHere(host);
  const answers = [...Object.values(dns ?? {}), ...Object.values(dns2 ?? {})].flat();
  return answers.length > 0 && answers.filter((each) => isAddress(each)).every(isHere);
}

async function send(each: Case, port: number, loopback = "0"): Promise<RequestResult> {
  const settings = settingsOf(each, {
    EXPORT_SCHEMES: "https,http",
    EXPORT_PORTS: `${port}`,
    EXPORT_UNSAFE_ALLOW_LOOPBACK: loopback,
  });
  if (!("EXPORT_EGRESS" in settings)) throw new Error(`Cannot read settings: ${settings.join()}`);
  await using server = await startNameServer(answersOf(each));
  const guard = createGuard({
    policy: egressPolicy(settings),
    ownAddresses: () => [],
    resolve: server.resolve,
    clock: systemClock,
    resolveTimeoutMs: PLENTY_MS,
  });
  return await sendVetted(guard, { uri: atPort(each.url, port) });
}

Deno.test("no case that leads to this machine opens a connection to it", async () => {
  const answer = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  // Takes connections to every address of this machine, IPv4 ones too.
  await using sentinel = listen(answer, "::");
  const cases = [...COLLECTED, ...FURTHER].filter(leadsHere);
  assert(cases.length >= 50, `${cases.length} cases lead here`);
  for (const each of cases) {
    const { kind } = await send(each, sentinel.port);
    assertEquals([kind, sentinel.accepted], ["failed", 0], each.id);
  }
  // That it can be reached at all is shown by opening loopback.
  const urls = ["http://127.0.0.1/", "http://127.1.2.3/", "http://[::ffff:127.0.0.1]/"];
  for (const url of urls) await send({ id: "", url, expect: "", why: "" }, sentinel.port, "1");
  assertEquals(sentinel.accepted, urls.length);
});
