/**
 * A client that speaks TLS to a service on this machine and believes only the CA of the fixtures.
 * Sends what it is given, byte for byte, and adds nothing.
 */

/** The name that the service's certificate is for; it resolves nowhere here. */
export const SERVICE_NAME = "export-service";

export interface ExchangeOptions {
  /** The name that the certificate must be for. */
  readonly hostname?: string;
  readonly timeoutMs?: number;
}

export function readTlsFixture(name: string): Promise<string> {
  return Deno.readTextFile(new URL(`../fixtures/tls_server/${name}`, import.meta.url));
}

/**
 * Says `request` and hears until the other side hangs up.
 *
 * @param timeoutMs limit for all of it, from the connection to the last byte
 */
export async function exchange(
  port: number,
  request: string,
  { hostname = SERVICE_NAME, timeoutMs = 10_000 }: ExchangeOptions = {},
): Promise<string> {
  const caCerts = [await readTlsFixture("ca.pem")];
  const plain = await Deno.connect({ hostname: "127.0.0.1", port });
  let open: Deno.Conn = plain;
  const timer = setTimeout(() => open.close(), timeoutMs);
  try {
    const conn = await Deno.startTls(plain, { hostname, caCerts });
    open = conn;
    const writer = conn.writable.getWriter();
    await writer.write(new TextEncoder().encode(request));
    writer.releaseLock();
    return await new Response(conn.readable).text();
  } finally {
    clearTimeout(timer);
  }
}
