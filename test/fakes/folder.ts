/** A folder for as long as a story takes. */
export async function withFolder(story: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await story(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
