/** A store whose every call stands under some {@link Trouble}. */
import { whenHeld } from "./clock_bell.ts";
import type { Trouble } from "./fault.ts";

export { Fault, type FaultKind } from "./fault.ts";

/** `kv`, but every call passes through `trouble`. */
export function faultyKv(kv: Deno.Kv, trouble: Trouble): Deno.Kv {
  return new Proxy(kv, {
    get(target, name) {
      switch (name) {
        case "get":
          return (...args: Parameters<Deno.Kv["get"]>) => trouble.pass(() => target.get(...args));
        case "getMany":
          return (keys: Deno.KvKey[]) => trouble.pass(() => target.getMany(keys));
        case "set":
          return (...args: Parameters<Deno.Kv["set"]>) => trouble.pass(() => target.set(...args));
        case "list":
          return (...args: Parameters<Deno.Kv["list"]>) => faultyList(target, args, trouble);
        case "watch":
          return (keys: Deno.KvKey[]) => faultyWatch(target, keys, trouble);
        case "atomic":
          return () => faultyAtomic(target.atomic(), trouble);
        default: {
          const member: unknown = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        }
      }
    },
  });
}

async function* faultyList(kv: Deno.Kv, args: Parameters<Deno.Kv["list"]>, trouble: Trouble) {
  const entries = kv.list(...args);
  for (;;) {
    const { done, value } = await trouble.pass(() => entries.next());
    if (done) return;
    yield value;
  }
}

/** A watch that cannot begin, or ends in an error instead of its first news. */
function faultyWatch(kv: Deno.Kv, keys: Deno.KvKey[], trouble: Trouble) {
  const watch = kv.watch<Uint8Array[]>(keys);
  const failing = () =>
    watch.pipeThrough(
      new TransformStream({
        transform: (_, controller) => controller.error(new TypeError("The watch fails")),
      }),
    );
  try {
    return trouble.passNow(() => watch, failing);
  } catch (error) {
    void watch.cancel();
    throw error;
  }
}

function faultyAtomic(operation: Deno.AtomicOperation, trouble: Trouble): Deno.AtomicOperation {
  const commit = operation.commit.bind(operation);
  operation.commit = () =>
    trouble.pass(async () => {
      const result = await commit();
      if (result.ok) whenHeld.get(operation)?.();
      return result;
    });
  return operation;
}
