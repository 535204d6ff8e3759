/**
 * The rules that a destination may break, and the advice given to its sender. Never reveals
 * anything about the network inside, or about what the operator has closed there.
 */
import { DESTINATION_CHARS_MAX } from "../limits.ts";
import type { EgressPolicy } from "./policy.ts";

/** The part of the destination that is not permissible. */
export type Rule =
  | "url"
  | "scheme"
  | "userinfo"
  | "port"
  | "host"
  | "special_name"
  | "not_listed"
  | "address";

/** One rule that was looked at: whether it holds and why, in words for the operator. */
export interface Step {
  readonly rule: Rule;
  readonly holds: boolean;
  readonly because: string;
  /** The setting that would make it hold; absent if none would. */
  readonly setting?: string | undefined;
}

/** What a refused sender can do, under this policy. */
export function adviceFor(rule: Rule, { schemes, ports, mode, allowCidrs }: EgressPolicy): string {
  switch (rule) {
    case "url":
      return "Write the destination as an absolute https URL with a valid host and port, at most " +
        `${DESTINATION_CHARS_MAX} characters, no spaces, backslashes or invisible characters.`;
    case "scheme":
      return schemes.includes("http")
        ? `Use ${inWords(schemes)}.`
        : "Use https: data leaves the box encrypted.";
    case "userinfo":
      return "Remove the user name and password, and any `@` from the host and the fragment.";
    case "port":
      return `Use port ${inWords(ports)}.`;
    case "host":
      return "Name a host on the internet in full, such as `api.example.com`.";
    case "special_name":
      return "Name a host on the internet: names of local networks and machines are refused.";
    case "not_listed":
      return "Ask the operator of this box to list the host: only listed ones are open.";
    case "address":
      return mode === "public" && allowCidrs.length === 0
        ? "Name a host that has public internet addresses only."
        : "Name a host all of whose addresses are open on this box.";
  }
}

function inWords(choices: readonly (string | number)[]): string {
  return new Intl.ListFormat("en-GB", { type: "disjunction" }).format(choices.map(String));
}
