/**
 * The guard at the only way out: resolves a destination's name and lets through the addresses it
 * has checked, or none. Never connects, and never remembers what a name resolved to: each attempt
 * asks again. Verdicts on a URL's text are kept while `ownAddresses` returns the same array.
 */
import { lookup } from "node:dns/promises";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { DESTINATION_CHARS_MAX, VERDICTS_MAX } from "../limits.ts";
import { isAddress } from "./cidr.ts";
import { checkAddresses, checkDestination, type Ground, type Verdict } from "./destination.ts";
import type { EgressPolicy } from "./policy.ts";
import type { Rule } from "./rules.ts";
import { hostOf } from "./spelling.ts";

/** Returns all addresses of a host; rejects, or returns none, if there are none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** The machine's own resolver, so that `/etc/hosts` and the container's DNS count. */
export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** The rule that a refused destination breaks. Only `deno task explain` says why it does. */
export interface Refused {
  readonly kind: "refused";
  readonly rule: Rule;
}

/** A destination with the addresses to connect to, and no others; or why there are none. */
export type Vetted =
  | { readonly kind: "permitted"; readonly url: URL; readonly addresses: readonly string[] }
  | Refused
  | { readonly kind: "unresolved"; readonly code: "dns_error" | "timed_out" };

export interface Guard {
  /** Judges without resolving; used when an export is accepted. */
  check(uri: string): { readonly kind: "permitted" } | Refused;
  /** Resolves and judges for one attempt. A signal that aborts counts as `timed_out`. */
  vet(uri: string, signal?: AbortSignal): Promise<Vetted>;
}

export interface GuardParts {
  readonly policy: EgressPolicy;
  /** This machine's addresses, to which nothing is sent; the same array until read again. */
  readonly ownAddresses: () => readonly string[];
  readonly resolve: Resolve;
  readonly clock: Clock;
  readonly resolveTimeoutMs: number;
}

export function createGuard(parts: GuardParts): Guard {
  const { policy, ownAddresses, resolve, clock, resolveTimeoutMs } = parts;
  const ground = (): Ground => ({ policy, own: ownAddresses() });
  let judged = { own: [] as readonly string[], verdicts: new Map<string, Verdict>() };

  /** Judges the URL's text, once for as long as `ownAddresses` returns the same array. */
  function judge(uri: string): Verdict {
    const own = ownAddresses();
    if (own !== judged.own || judged.verdicts.size >= VERDICTS_MAX) {
      judged = { own, verdicts: new Map() };
    }
    const known = judged.verdicts.get(uri);
    if (known !== undefined) return known;
    const verdict = checkDestination(uri, { policy, own });
    if (uri.length <= DESTINATION_CHARS_MAX) judged.verdicts.set(uri, verdict);
    return verdict;
  }

  async function vet(uri: string, signal?: AbortSignal): Promise<Vetted> {
    const verdict = judge(uri);
    if (verdict.kind === "refused") return refusal(verdict);
    const { url } = verdict;
    const host = hostOf(url);
    if (isAddress(host)) return { kind: "permitted", url, addresses: [host] };
    const addresses = await resolveInTime(host, signal);
    if (typeof addresses === "string") return { kind: "unresolved", code: addresses };
    const resolved = checkAddresses(url, addresses, ground());
    if (resolved.kind === "refused") return refusal(resolved);
    return { kind: "permitted", url, addresses };
  }

  /** A resolver cannot be stopped; it is only no longer waited for. */
  async function resolveInTime(host: string, signal?: AbortSignal) {
    try {
      const deadline = { clock, timeoutMs: resolveTimeoutMs, signal };
      const resolved = await withDeadline(deadline, () => resolve(host));
      if (resolved.kind !== "done") return "timed_out";
      return resolved.value.length === 0 ? "dns_error" : resolved.value;
    } catch {
      // Whatever went wrong with the resolver, the destination has no address for now.
      return "dns_error";
    }
  }

  function check(uri: string) {
    const verdict = judge(uri);
    return verdict.kind === "refused" ? refusal(verdict) : { kind: verdict.kind };
  }

  return { check, vet };
}

function refusal({ kind, rule }: Verdict & { readonly kind: "refused" }): Refused {
  return { kind, rule };
}
