/** Tells a store that fails, which is waited for, from a defect, which is told with its place. */

/** The store failed; `cause` says how. */
export class StoreFailed extends Error {
  override readonly name = "StoreFailed";

  constructor(cause: unknown) {
    super("The store failed", { cause });
  }
}

/** @throws {StoreFailed} whatever the store rejects with */
export async function fromStore<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new StoreFailed(error);
  }
}
