/** Whether the process may write where it must; checked before anything is begun there. */
import { explained } from "./file_faults.ts";

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
    throw explained("write to", folder, error);
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
      if (!(error instanceof Deno.errors.NotFound)) throw explained("write to", file, error);
    }
  }
}
