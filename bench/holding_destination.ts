// deno-lint-ignore-file no-console -- the port is printed
/**
 * A destination that holds its answers until commanded, and notes when it gave each. GET `/held`
 * returns how many it holds, `/release?count=N` answers the N oldest, `/stream?count=N&perSecond=R`
 * answers N at that rate, `/answered` returns when each export was answered.
 */
interface Held {
  readonly id: string;
  readonly release: () => void;
}

const held: Held[] = [];
const answered = new Map<string, number>();

function release(count: number): void {
  for (const { id, release } of held.splice(0, count)) {
    answered.set(id, performance.timeOrigin + performance.now());
    release();
  }
}

/** Releases this many a second, on schedule even if a timer is late. */
function startStream(count: number, perSecond: number): void {
  const begun = performance.now();
  let released = 0;
  const timer = setInterval(() => {
    const due = Math.min(count, Math.floor((performance.now() - begun) / 1_000 * perSecond));
    release(due - released);
    released = due;
    if (released === count) clearInterval(timer);
  }, 1);
}

function command(url: URL): Response {
  const count = Number(url.searchParams.get("count"));
  switch (url.pathname) {
    case "/release":
      release(count);
      break;
    case "/stream":
      startStream(count, Number(url.searchParams.get("perSecond")));
      break;
    case "/answered":
      return Response.json([...answered]);
  }
  return new Response(String(held.length));
}

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port })) },
  async (request) => {
    if (request.method === "GET") return command(new URL(request.url));
    await request.text();
    const id = request.headers.get("idempotency-key") ?? "";
    await new Promise<void>((release) => held.push({ id, release }));
    return new Response("ok");
  },
);
