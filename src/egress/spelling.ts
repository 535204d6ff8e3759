/**
 * Rules on the text of a destination. The URL parser repairs what it can (`http:\\host`, a tab in a
 * name), and another parser may repair it differently, so a text that needs repair is refused.
 */
import { DESTINATION_CHARS_MAX } from "../limits.ts";
import type { Rule } from "./rules.ts";

export type Spelling =
  | { readonly kind: "spelt"; readonly url: URL }
  | { readonly kind: "misspelt"; readonly rule: Rule; readonly because: string };

export function checkSpelling(uri: string): Spelling {
  if (uri.length > DESTINATION_CHARS_MAX) {
    return misspelt("url", `it has more than ${DESTINATION_CHARS_MAX} characters`);
  }
  // Control, format and surrogate characters, separators: invisible, or open to two readings.
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Z}\\]/u.test(uri)) {
    return misspelt("url", "it has a space, a backslash, a control or an invisible character");
  }
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(uri) ?? [];
  if (scheme === undefined) return misspelt("url", "it is not an absolute URL");
  if (!/^https?$/i.test(scheme)) return misspelt("scheme", `${scheme} is neither https nor http`);
  const authority = /^\/\/([^/?#]+)/.exec(rest)?.[1];
  const url = URL.parse(uri);
  if (authority === undefined || url === null) return misspelt("url", "it is not an absolute URL");
  if (authority.includes("@")) return misspelt("userinfo", "it has a user name before its host");
  // Parsers that do not stop at `#` take what is before the `@` for a user name.
  if (url.hash.includes("@")) return misspelt("userinfo", "it has an @ in its fragment");
  return { kind: "spelt", url };
}

/** The host as a resolver and a certificate know it: no brackets, no final dot. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$|\.$/g, "");
}

/** The port to connect to, explicit or implied by the scheme. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function misspelt(rule: Rule, because: string): Spelling {
  return { kind: "misspelt", rule, because };
}
