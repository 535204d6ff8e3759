/** A store that notes what it is asked: what a read found, and the names of all other calls. */
export function notingReads(kv: Deno.Kv, note: (what: string) => void): Deno.Kv {
  return new Proxy(kv, {
    get(target, name) {
      if (name === "get") {
        return async (...args: Parameters<Deno.Kv["get"]>) => {
          const entry = await target.get(...args);
          note(entry.value === null ? "nothing" : "a record");
          return entry;
        };
      }
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: readonly unknown[]) => {
        note(String(name));
        return member.apply(target, args);
      };
    },
  });
}
