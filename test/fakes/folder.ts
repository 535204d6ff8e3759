/** A folder for as long as a story takes. */
export async function withFolder<T = void>(story: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await story(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
