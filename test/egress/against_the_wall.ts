/**
 * A process of its own for `wall_test.ts`: a guard with a hole lets everything through, so that
 * only the runtime's permissions are left. Prints what became of each attempt.
 */
import { sendVetted } from "./sending.ts";

const WALLED = ["169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16"]
  .concat(["100.100.100.200", "192.0.0.192", "::ffff:169.254.169.254", "::", "fd00:ec2::254"])
  .concat(["fd20:ce::254"]);

const outcomes: Record<string, string> = {};

async function attempt(uri: string, address: string): Promise<void> {
  // Without a wall nothing is to leave this machine.
  const host = address.includes(":") ? `[${address}]` : address;
  if (Deno.permissions.querySync({ name: "net", host }).state !== "denied") return;
  const url = new URL(uri);
  const result = await sendVetted({
    check: () => ({ kind: "permitted" }),
    vet: () => Promise.resolve({ kind: "permitted", url, addresses: [address] }),
  }, { uri });
  outcomes[`${uri} ${address}`] = result.kind === "failed" ? result.code : result.kind;
}

const server = Deno.serve(
  { hostname: "0.0.0.0", port: 0, onListen: () => {} },
  () => new Response(),
);
for (const scheme of ["http", "https"]) {
  for (const address of WALLED) {
    const literal = address.includes(":") ? `[${address}]` : address;
    await attempt(`${scheme}://${literal}:${server.addr.port}/`, address);
    await attempt(`${scheme}://a.example:${server.addr.port}/`, address);
  }
}
outcomes.listens = `${(await fetch(`http://127.0.0.1:${server.addr.port}/`)).ok}`;
await server.shutdown();
// deno-lint-ignore no-console -- this is how the test hears of it
console.log(JSON.stringify(outcomes));
