/** Known ways around a guard, as two collections tell them, and the settings each one is under. */
import { type Config, readConfig } from "../../src/config.ts";
import collected from "../fixtures/ssrf-cases.json" with { type: "json" };
import further from "../fixtures/egress-cases.json" with { type: "json" };

/** Addresses by host, or names that stand for it. */
type Answers = Readonly<Record<string, readonly string[]>>;

export interface Case {
  readonly id: string;
  readonly url: string;
  readonly expect: string;
  readonly why: string;
  /** The rule that is to be named; told of our own cases only. */
  readonly rule?: string;
  /** Answers to the first lookup, and to later ones where they differ. */
  readonly dns?: Answers;
  readonly dns2?: Answers;
  /** What the destination answers: a status and a place to go to. */
  readonly redirect?: string;
  readonly policy?: Readonly<Partial<Record<PolicyName, string | readonly (string | number)[]>>>;
}

const SETTINGS = {
  egress: "EXPORT_EGRESS",
  allowHosts: "EXPORT_ALLOW_HOSTS",
  allowCidrs: "EXPORT_ALLOW_CIDRS",
  denyCidrs: "EXPORT_DENY_CIDRS",
  schemes: "EXPORT_SCHEMES",
  ports: "EXPORT_PORTS",
  nat64Prefixes: "EXPORT_NAT64_PREFIXES",
  loopback: "EXPORT_UNSAFE_ALLOW_LOOPBACK",
} as const;
type PolicyName = keyof typeof SETTINGS;

// Their types are inferred per case, with an entry for every host there is.
export const COLLECTED = collected as readonly Case[];
export const FURTHER = further as readonly Case[];

/** The settings of a case as an operator writes them, or their faults. Others come on top. */
export function settingsOf(
  { policy = {} }: Case,
  others: Readonly<Record<string, string>> = {},
): Config | readonly string[] {
  const given = new Map(Object.entries(others));
  for (const [name, value] of Object.entries(policy)) {
    // Every name is one of the table; a case with another one would stand out as undefined.
    given.set(SETTINGS[name as PolicyName], String(value));
  }
  const result = readConfig((name) => given.get(name));
  return result.kind === "read" ? result.config : result.faults;
}

/** What a name server answers a case. */
export function answersOf({ dns, dns2 }: Case) {
  return (host: string, lookup: number) => (lookup > 1 ? dns2 ?? dns : dns)?.[host];
}
