/**
 * A real destination on this machine that notes what arrives. At its end it answers what it still
 * holds, so that a test that fails says so, instead of waiting for ever.
 */

export interface Arrival {
  readonly path: string;
  readonly body: string;
  readonly headers: Headers;
}

export class DestinationServer implements AsyncDisposable {
  readonly arrivals: Arrival[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = Promise.withResolvers<Response>();
  #onArrival = () => {};

  constructor(
    answer: (arrival: Arrival) => Response | Promise<Response> = () => new Response("ok"),
  ) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const { pathname: path } = new URL(request.url);
        const arrival = { path, body: await request.text(), headers: request.headers };
        this.arrivals.push(arrival);
        this.#onArrival();
        return await Promise.race([answer(arrival), this.#end.promise]);
      },
    );
  }

  uri(path = "/"): string {
    return `http://127.0.0.1:${this.#server.addr.port}${path}`;
  }

  /** Resolves when what has arrived is `enough`. */
  async arrived(enough: (arrivals: readonly Arrival[]) => boolean): Promise<void> {
    while (!enough(this.arrivals)) {
      await new Promise<void>((resolve) => this.#onArrival = resolve);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.resolve(new Response(null, { status: 503 }));
    await this.#server.shutdown();
  }
}
