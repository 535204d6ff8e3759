/**
 * What an operator is told of a file or folder that the system refuses: which one, whose it is, and
 * what to do. Never opens anything.
 */
import { dirname } from "node:path";

/**
 * What came of trying to `action` the file or folder at `path`, with what to do about it; an error
 * for which that is not known is returned unchanged.
 */
export function explained(action: "read" | "write to", path: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const advice = adviceFor(path, error);
  if (advice === undefined) return error;
  return new Error(`Cannot ${action} "${path}", ${advice}`, { cause: error });
}

/** What an error says of itself. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function adviceFor(path: string, error: Error): string | undefined {
  const { message } = error;
  switch ("code" in error && error.code) {
    case "EACCES":
      return `${ownerOf(path)}: ${message}. Have it belong to the user that the service runs as, ` +
        "in the image 1993";
    case "EROFS":
      return `which is mounted read-only: ${message}. Mount it writable`;
    case "ENOSPC":
      return `since the disk is full: ${message}`;
    case "EISDIR":
      return `which is a folder, as an engine makes one where the source of a mount is missing: ` +
        `${message}. Put the file there instead`;
    default:
      return undefined;
  }
}

/** Whose `path` is; or, if that cannot be seen, the folder above it that may not be searched. */
function ownerOf(path: string, seen = path): string {
  try {
    const { uid, mode } = Deno.statSync(seen);
    const belongs = `belongs to user ${uid} (mode ${((mode ?? 0) & 0o777).toString(8)})`;
    return seen === path ? `which ${belongs}` : `since "${seen}" ${belongs}`;
  } catch {
    const above = dirname(seen);
    return above === seen ? "which this process may not" : ownerOf(path, above);
  }
}
