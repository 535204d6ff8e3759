/** A store whose commit holds though it says otherwise, and that does not tell when it is asked. */

/** `kv`, whose next commit after `denyNext` holds and says that it failed; then so many reads fail, one by default. */
export function denying(kv: Deno.Kv): {
  readonly kv: Deno.Kv;
  denyNext(reads?: number): void;
  /** Whether all that was to go wrong has. */
  isOver(): boolean;
} {
  let denies = false;
  let [reads, mute] = [0, 0];
  const atomic = () => {
    const operation = kv.atomic();
    const commit = operation.commit.bind(operation);
    operation.commit = async () => {
      const result = await commit();
      if (!denies) return result;
      [denies, mute] = [false, reads];
      throw new TypeError("The commit lies");
    };
    return operation;
  };
  const get = (key: Deno.KvKey) => {
    if (mute === 0) return kv.get(key);
    mute--;
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
  const denyNext = (count = 1) => void ([denies, reads] = [true, count]);
  return { kv: proxy, denyNext, isOver: () => !denies && mute === 0 };
}
