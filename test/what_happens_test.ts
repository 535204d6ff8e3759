/** "What happens when…" in the README: every line has its tests, and no test is left without its line. */
import { assertEquals } from "@std/assert";
import { assertTest } from "./fakes/named_test.ts";

/** By the words of the line: where it is shown. */
const SHOWN: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  "the destination is down": [
    ["main_path_test.ts", "an unreachable destination is tried again after 5 s, 30 s, 2 min"],
    ["main_path_test.ts", "an export that is given up is Finished with an error"],
    ["main_path_test.ts", "a destination that never answers holds its own lane only"],
  ],
  "nobody can reach its host": [
    ["deliver/host_health_test.ts", "a host that is down is tried by one export at a time"],
    ["deliver/host_health_test.ts", "an unreachable host is tried by one lane after 30 s"],
  ],
  "it accepts and says nothing, drips, or never ends": [
    ["deliver/misbehaving_test.ts", "a destination that ${name} comes to what SECURITY.md says"],
  ],
  "it answers 500, or 302": [
    ["egress/request_test.ts", "any status is an answer"],
    ["egress/request_test.ts", "a redirect is an answer and is not followed"],
    ["deliver/host_health_test.ts", "503 is tried again where the operator says so"],
  ],
  "its certificate does not verify": [
    ["deliver/host_health_test.ts", "what is final is final at once: a bad certificate"],
  ],
  "its name resolves to a private address": [
    ["deliver/misbehaving_test.ts", "a destination that ${name} comes to what SECURITY.md says"],
    ["egress/ssrf_cases_test.ts", "${name.toLowerCase()} ways around the guard lead nowhere"],
  ],
  "the service is killed": [
    ["kill_test.ts", "a service killed again and again under load loses nothing"],
    ["process_test.ts", "after kill -9 and a restart every accepted export is carried out"],
  ],
  "an app exports without end": [
    ["http/limits_test.ts", "what an owner's exports leave behind is bounded by the day"],
    [
      "ledger/storage_quota_test.ts",
      "whoever leaves only when they may leaves a day's bytes a day",
    ],
  ],
  "an attempt ends the process": [
    ["deliver/lapse_test.ts", "an attempt that ends the process is made again at once three times"],
    [
      "deliver/lapse_test.ts",
      "while one export ends every process, others are delivered at every start",
    ],
    ["deliver/lapse_test.ts", "what ends every process is finished at its give-up age"],
  ],
  "the service is stopped (`SIGTERM`)": [
    ["process_test.ts", "SIGTERM answers who waits, finishes what is in flight, and exits 0"],
  ],
  "the machine's clock jumps, forth or back": [
    ["clock_test.ts", "what waits for its next attempt when the clock jumps"],
    ["clock_test.ts", "a token is judged by the wall clock, wherever that was put"],
    ["bucket_test.ts", "a clock that is put back holds nobody up"],
  ],
  "an app does not read its answers": [
    ["http/large_answers_test.ts", "so much is on its way at once; the next waits 5 s"],
    ["http/socket_bounds_test.ts", "of large answers only so much is unread on all sockets"],
    [
      "http/large_answers_test.ts",
      "whoever does not read a large answer loses it after two minutes",
    ],
    ["process_test.ts", "a stop waits 8 s for who does not read their answer"],
  ],
  "the app vanishes": [
    ["http/app_test.ts", "a client that goes away leaves no waiter and no timer"],
    ["http/body_end_test.ts", "a body ${how} that ends early is 400"],
    ["http/socket_test.ts", "a client that vanishes, ${reading"],
    ["peers/go_client_test.ts", "what the Go client submits is carried out"],
  ],
  "the app submits twice because an answer was lost": [
    ["http/app_test.ts", "an Idempotency-Key makes a client's retry safe"],
  ],
  "two polls wait for one export": [
    ["http/app_test.ts", "several waiters on one export all get the answer"],
  ],
  "the disk runs full": [
    ["store_trouble_test.ts", "a disk that fills up: submissions are refused in time"],
    ["store_trouble_test.ts", "a start on a disk that is low goes on with what was accepted"],
    ["ledger/storage_test.ts", "while there is no room, submissions get 503"],
  ],
  "others fill the disk to the last byte": [
    ["store_trouble_test.ts", "a start on a disk that is full listens and says no"],
    [
      "store_trouble_test.ts",
      "a start on a disk without the least room says that the disk is full",
    ],
  ],
  "the store fails, or another program holds it": [
    ["store_trouble_test.ts", "a store that another process holds: 503 until it lets go"],
    ["store_outage_test.ts", "a store that is away for longer than a lease has nothing sent twice"],
    ["store_outage_test.ts", "thousands of lanes do not fill the log"],
    [
      "deliver/store_rest_test.ts",
      "a store that is away is logged at once, and then once a minute",
    ],
    ["http/refusals_test.ts", "what the ledger does not take is entered by its number"],
    ["http/app_test.ts", "a store that fails is a 503 that says when to come back"],
    ["fault_test.ts", "nothing is lost, stuck or settled twice when the n-th call ${kind}"],
  ],
  "the store's file is taken away or replaced": [
    ["store_trouble_test.ts", "a store whose file is taken away: what is accepted is in the file"],
    ["machine/disk_test.ts", "a store whose file was removed, or is another one now, is lost"],
  ],
  "the store may not be written": [
    ["store_trouble_test.ts", "a store that may not be written is not started on"],
  ],
  "the store is damaged": [
    ["store_trouble_test.ts", "a store that is damaged is not started on"],
    [
      "deliver/payload_test.ts",
      "a payload of ${bytes} bytes that was altered in the store does not",
    ],
    [
      "deliver/payload_test.ts",
      "an export whose ${what} was altered in the store goes nowhere",
    ],
    ["store_outage_test.ts", "a payload that cannot be read keeps its own lane only"],
    ["store_trouble_test.ts", "of a store that is damaged no ledger is shown"],
  ],
  "there is no arbiter, or it answers nonsense": [
    ["peers/arbiter_test.ts", "until there is an arbiter the service listens, is not ready"],
    ["peers/libzmq_arbiter_test.ts", "an arbiter on libzmq"],
  ],
  "the arbiter restarts": [
    ["peers/arbiter_test.ts", "the secret is fetched once a start"],
  ],
  "a WebSocket goes": [
    ["http/socket_test.ts", "what a socket did not live to be told is there for the next one"],
  ],
  "a second service starts on the same store": [
    ["process_test.ts", "a second start on the same store says why not"],
  ],
  "a later version starts on the store of an earlier one": [
    [
      "upgrade_test.ts",
      "a store of version 0.1 opens, and its exports finish in their order",
    ],
  ],
  "an earlier version starts on the store of a later one": [
    ["upgrade_test.ts", "a store of a newer format is refused, and keeps its format"],
  ],
  "nobody reads the log": [
    [
      "service/log_reader_test.ts",
      "where nobody reads the log any more, all goes on when somebody",
    ],
  ],
  "somebody opens connections without end": [
    ["process_test.ts", "whoever takes every connection there can be does not end the service"],
  ],
  "an app sends a WebSocket message without an end": [
    ["process_test.ts", "a message without an end, which the runtime joins without a bound"],
    ["http/socket_test.ts", "when the process grows too much beside its sockets"],
  ],
  "an app sends on while its poll waits, or a body in chunks of a few bytes": [
    ["process_test.ts", "what comes ${what}, which the runtime reads without a bound"],
    ["http/body_test.ts", "a body in parts of ${bytes} that is given up"],
    ["http/large_answers_test.ts", "a poll that is released is told 503"],
  ],
  "an app sends frames, or parts of a body, without a pause": [
    ["http/socket_test.ts", "a client that floods with frames is dropped"],
    [
      "http/body_test.ts",
      "bodies in tiny parts are read whole, and others have their turn meanwhile",
    ],
    [
      "egress/flood_test.ts",
      "small chunks fill an answer; it is cut where they are tiny and very many",
    ],
  ],
  "somebody sends wrong tokens by the thousand": [
    ["http/refusals_test.ts", "past the bound of a minute refusals are only counted"],
    ["http/app_test.ts", "wrong tokens by the thousand keep no processor"],
  ],
};

Deno.test("every line of what happens when is backed by tests that there are", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const [, table = ""] = /^## What happens when…\n\n([^]*?)\n\n/m.exec(readme) ?? [];
  const lines = table.split("\n").slice(2).map((row) => (row.split("|")[1] ?? "").trim());
  assertEquals(lines.toSorted(), Object.keys(SHOWN).toSorted());
  for (const [line, tests] of Object.entries(SHOWN)) {
    for (const [file, title] of tests) await assertTest(file, title, line);
  }
});
