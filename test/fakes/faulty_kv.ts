/**
 * A store whose n-th call goes wrong: it fails, it lies (does what it was asked and reports
 * failure), or it crashes (that call and every later one fail).
 */

export type FaultKind = "fails" | "lies" | "crashes";

export class Fault {
  readonly #kind: FaultKind;
  readonly #nth: number;
  #calls = 0;
  #armed = false;

  constructor(kind: FaultKind, nth: number) {
    this.#kind = kind;
    this.#nth = nth;
  }

  /** Counts from now on. */
  arm(): void {
    this.#armed = true;
  }

  /** Lets everything pass from now on. */
  disarm(): void {
    this.#armed = false;
  }

  /** Whether the run was long enough for the fault to happen. */
  get happened(): boolean {
    return this.#calls >= this.#nth;
  }

  async pass<T>(call: () => Promise<T>): Promise<T> {
    if (!this.#armed) return await call();
    this.#calls++;
    const hit = this.#kind === "crashes" ? this.#calls >= this.#nth : this.#calls === this.#nth;
    if (!hit) return await call();
    if (this.#kind === "lies") await call();
    throw new TypeError(`call ${this.#calls} ${this.#kind}`);
  }
}

/** `kv`, but every call passes through `fault`. Watches are left alone: they only read. */
export function faultyKv(kv: Deno.Kv, fault: Fault): Deno.Kv {
  return new Proxy(kv, {
    get(target, name) {
      switch (name) {
        case "get":
          return (...args: Parameters<Deno.Kv["get"]>) => fault.pass(() => target.get(...args));
        case "getMany":
          return (keys: Deno.KvKey[]) => fault.pass(() => target.getMany(keys));
        case "set":
          return (...args: Parameters<Deno.Kv["set"]>) => fault.pass(() => target.set(...args));
        case "list":
          return (...args: Parameters<Deno.Kv["list"]>) => faultyList(target, args, fault);
        case "atomic":
          return () => faultyAtomic(target.atomic(), fault);
        default: {
          const member: unknown = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        }
      }
    },
  });
}

async function* faultyList(kv: Deno.Kv, args: Parameters<Deno.Kv["list"]>, fault: Fault) {
  const entries = kv.list(...args);
  for (;;) {
    const { done, value } = await fault.pass(() => entries.next());
    if (done) return;
    yield value;
  }
}

function faultyAtomic(operation: Deno.AtomicOperation, fault: Fault): Deno.AtomicOperation {
  const commit = operation.commit.bind(operation);
  operation.commit = () => fault.pass(commit);
  return operation;
}
