import { assertEquals } from "@std/assert";
import { ownAddresses } from "../../src/machine/own_addresses.ts";

Deno.test("the system is asked for its addresses once a second, by whatever clock", () => {
  let now = 10_000;
  let asked = 0;
  const own = ownAddresses({ now: () => now }, () => [{ address: `192.0.2.${++asked}` }]);
  const at = (moment: number) => (now = moment, own());
  assertEquals(at(10_000), ["192.0.2.1"]);
  assertEquals(at(10_999), ["192.0.2.1"]);
  assertEquals(at(11_000), ["192.0.2.2"]);
  assertEquals(at(5_000), ["192.0.2.3"]);
});
