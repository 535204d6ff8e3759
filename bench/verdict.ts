/** A figure beside the limit that it must meet; pure. */
import { figure } from "./table.ts";

export type Limit = { readonly atMost: number } | { readonly atLeast: number };

/** A figure that was not measured misses every limit. */
export function verdict(what: string, value: number, limit: Limit, unit = ""): string {
  const [word, bound, holds] = "atMost" in limit
    ? ["at most", limit.atMost, value <= limit.atMost]
    : ["at least", limit.atLeast, value >= limit.atLeast];
  const text = `${what}: ${figure(value)} ${unit}`.trimEnd();
  return `${holds ? "ok  " : "MISS"} ${text}, wanted ${word} ${bound} ${unit}`.trimEnd();
}
