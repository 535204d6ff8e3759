import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ownAddresses } from "../../src/machine/own_addresses.ts";

Deno.test("the system is asked for its addresses once a second, by whatever clock", () => {
  let now = 10_000;
  let asked = 0;
  const own = ownAddresses({ now: () => now }, () => [{ address: `192.0.2.${++asked}` }]);
  const at = (moment: number) => (now = moment, own());
  const first = at(10_000);
  assertEquals(at(10_999), first);
  const second = at(11_000);
  assertNotEquals(second, first);
  assertNotEquals(at(5_000), second);
});

Deno.test("while the system does not tell its addresses, the last ones hold", () => {
  let now = 10_000;
  let isTold = true;
  const own = ownAddresses({ now: () => now }, () => {
    if (!isTold) throw new Error("Too many open files");
    return [{ address: `192.0.2.${now / 1_000}` }];
  });
  const at = (moment: number) => (now = moment, own());
  isTold = false;
  assertEquals(at(11_000), ["192.0.2.10"], "known from the start");
  isTold = true;
  assertEquals(at(12_000), ["192.0.2.12"]);
  isTold = false;
  assertEquals(at(13_000), ["192.0.2.12"]);
});

Deno.test("a machine that does not even tell its addresses at the start is not served", () => {
  assertThrows(() =>
    ownAddresses({ now: () => 0 }, () => {
      throw new Error("Too many open files");
    })
  );
});
