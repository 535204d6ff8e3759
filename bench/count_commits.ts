// deno-lint-ignore-file no-console -- the count is printed
/**
 * Preloaded into a process, counts what it commits to Deno KV, and prints the count on SIGUSR2.
 * What KV's queue commits by itself, below these functions, is not counted.
 */
let commits = 0;

function count<Of extends object>(prototype: Of, name: keyof Of & string): void {
  const original = prototype[name];
  if (typeof original !== "function") throw new TypeError(`Cannot count ${name}: it is not there`);
  const counting = function (this: unknown, ...args: unknown[]) {
    commits++;
    return original.apply(this, args);
  };
  Object.defineProperty(prototype, name, { value: counting, configurable: true, writable: true });
}

count(Deno.AtomicOperation.prototype, "commit");
for (const name of ["set", "delete", "enqueue"] as const) count(Deno.Kv.prototype, name);

Deno.addSignalListener("SIGUSR2", () => {
  console.log(JSON.stringify({ event: "bench.commits", commits }));
});
