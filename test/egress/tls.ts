/** Destinations that speak TLS, with the certificates of `test/fixtures/tls`. */
import { type Act, type Destination, serve } from "./destination.ts";

export function readFixture(name: string): Promise<string> {
  return Deno.readTextFile(new URL(`../fixtures/tls/${name}`, import.meta.url));
}

/** A certificate, and the key of them all. */
export async function identityOf(certificate = "dest.pem") {
  return { cert: await readFixture(certificate), key: await readFixture("dest.key") };
}

/** A destination as `dest.localhost`, under the CA in `ca.pem`. */
export async function listenByTls(
  act: Act,
  more: { readonly alpnProtocols?: string[] } = {},
): Promise<Destination> {
  const where = { hostname: "127.0.0.1", port: 0 };
  return serve(act, Deno.listenTls({ ...where, ...await identityOf(), ...more }));
}
