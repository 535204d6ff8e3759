/** A store whose commit holds though it says otherwise, and that does not tell when it is asked. */

/** `kv`, whose next commit after `denyNext` holds and says that it failed, and whose next read fails. */
export function denying(kv: Deno.Kv): {
  readonly kv: Deno.Kv;
  denyNext(): void;
  /** Whether all that was to go wrong has. */
  isOver(): boolean;
} {
  let denies = false;
  let isMute = false;
  const atomic = () => {
    const operation = kv.atomic();
    const commit = operation.commit.bind(operation);
    operation.commit = async () => {
      const result = await commit();
      if (!denies) return result;
      [denies, isMute] = [false, true];
      throw new TypeError("The commit lies");
    };
    return operation;
  };
  const get = (key: Deno.KvKey) => {
    if (!isMute) return kv.get(key);
    isMute = false;
    return Promise.reject(new TypeError("The read fails"));
  };
  const proxy = new Proxy(kv, {
    get(target, name) {
      if (name === "atomic") return atomic;
      if (name === "get") return get;
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return { kv: proxy, denyNext: () => denies = true, isOver: () => !denies && !isMute };
}
