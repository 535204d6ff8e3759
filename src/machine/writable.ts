/** Whether the process may write where it must; checked before anything is begun there. */

/**
 * Makes `folder` if need be, readable by its owner only, and proves that files can be made in it.
 *
 * @throws with what to do, if they cannot
 */
export async function requireWritableFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: "export-" }));
  } catch (error) {
    throw await withOwnerOf(folder, error);
  }
}

/**
 * Proves that each of `files` can be written, if it is there. Not for files that this process has
 * open: it would lose any lock that it holds on them.
 *
 * @throws with what to do, if one cannot
 */
export async function requireWritableFiles(files: readonly string[]): Promise<void> {
  for (const file of files) {
    try {
      (await Deno.open(file, { write: true })).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw await withOwnerOf(file, error);
    }
  }
}

/** The system's refusal, with the owner of the file; other errors unchanged. */
async function withOwnerOf(path: string, error: unknown): Promise<unknown> {
  if (!(error instanceof Deno.errors.PermissionDenied)) return error;
  const file = await Deno.stat(path).catch(() => undefined);
  if (file === undefined) return error;
  const mode = ((file.mode ?? 0) & 0o777).toString(8);
  return new Error(
    `Cannot write to "${path}", which belongs to user ${file.uid} (mode ${mode}): ` +
      `${error.message}. Have it belong to the user that the service runs as, in the image 1993`,
    { cause: error },
  );
}
