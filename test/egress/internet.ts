/**
 * An internet of a test's own. Sockets go wherever the service sends them, as far as it can tell;
 * in truth each one ends at a destination on this machine, which hears what comes and from where
 * it was meant to be heard.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { LookupAddress } from "node:dns";
import { connect as connectTcp, type LookupFunction } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Sockets } from "../../src/egress/connection.ts";
import { isAddress } from "../../src/egress/cidr.ts";
import { identityOf, readFixture } from "./tls.ts";

export interface Internet extends AsyncDisposable {
  readonly sockets: Sockets;
  /** For the service to believe whoever answers. */
  readonly extraCa: string;
  /** Every address to which a socket was on its way, a list for each connection. */
  readonly reached: string[][];
  /** The `host` of every request that was heard. */
  readonly heard: string[];
  /** What the next requests are answered. */
  answer: { readonly status: number; readonly location?: string };
}

export async function openInternet(): Promise<Internet> {
  const servers = [createServer(hear), createTlsServer(await identityOf(), hear)];
  const [plain = 0, secure = 0] = await Promise.all(servers.map(async (server) => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }));
  const here = (port: number) => ({ host: "127.0.0.1", port });
  const internet: Internet = {
    sockets: {
      tcp(where) {
        internet.reached.push(addressesOf(where));
        return connectTcp(here(plain));
      },
      tls(where) {
        internet.reached.push(addressesOf(where));
        // Its one certificate is in another name; that names count is shown in request_tls_test.ts.
        const believe = { checkServerIdentity: () => undefined };
        return connectTls({ ...where, ...here(secure), ...believe });
      },
    },
    extraCa: await readFixture("ca.pem"),
    reached: [],
    heard: [],
    answer: { status: 200 },
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.close();
      await Promise.all(servers.map((server) => once(server, "close")));
    },
  };
  function hear(request: IncomingMessage, response: ServerResponse) {
    internet.heard.push(request.headers.host ?? "");
    const { status, location } = internet.answer;
    response.writeHead(status, { ...(location !== undefined && { location }) });
    request.resume().on("end", () => response.end("heard"));
  }
  return internet;
}

interface Where {
  readonly host?: string | undefined;
  readonly lookup?: LookupFunction | undefined;
}

/** Where node would connect: to the host if it is an address, else to what its lookup answers. */
function addressesOf({ host = "", lookup }: Where): string[] {
  if (isAddress(host)) return [host];
  const addresses: string[] = [];
  // Filled in later, as node would have it; read when all is over.
  lookup?.(host, { all: true }, (_error, found: string | LookupAddress[]) => {
    addresses.push(...(typeof found === "string" ? [found] : found.map(({ address }) => address)));
  });
  return addresses;
}
