/** Whether a document that names a test tells the truth. */
import { assert } from "@std/assert";

/** The test of that title, as it stands in the source, must be in `file` below the folder of tests. */
export async function assertTest(file: string, title: string, by: string): Promise<void> {
  assert(title.length > 10, `${by} names no test`);
  const source = await Deno.readTextFile(new URL(`../${file}`, import.meta.url));
  const named = ['"', "`"].some((quote) => source.includes(`${quote}${title}`));
  assert(named, `${by}: ${file} has no test "${title}"`);
}
