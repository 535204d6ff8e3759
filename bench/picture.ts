/** Writes a picture, and makes its folder if there is none. */
import { dirname } from "node:path";

export async function writePicture(path: string, svg: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, svg);
  // deno-lint-ignore no-console -- where it is
  console.log(`picture: ${path}`);
}
