/**
 * Whether one address is open under a policy, and why. Takes IP literals only: never resolves a
 * name.
 */
import { type Address, carriedIPv4, holds, parseAddress } from "./cidr.ts";
import { type EgressPolicy, settingForAddress } from "./policy.ts";
import { NAT64_RANGES, type Range, rangeOf } from "./ranges.ts";

export interface AddressVerdict {
  /**
   * `internet` and `inside` are open: the first is public, the second somebody's own network.
   * `loopback` is opened by the unsafe switch. `unlisted` is public, and open to listed hosts only.
   */
  readonly kind: "internet" | "inside" | "loopback" | "unlisted" | "closed";
  readonly because: string;
  /** The setting that would open it; absent if none would. */
  readonly setting?: string | undefined;
}

/** The setting that opens this machine itself. */
export const LOOPBACK_SETTING = "EXPORT_UNSAFE_ALLOW_LOOPBACK=1, for demos and tests only";

/** `own` are the addresses of this machine, which no setting opens. */
export function judgeAddress(
  text: string,
  policy: EgressPolicy,
  own: readonly string[],
): AddressVerdict {
  const address = parseAddress(text);
  if (address === undefined) return closed(`${text} is not a plain IP address`);
  const range = rangeOf(address);
  const carried = translated(address, range, policy);
  if (carried === undefined) {
    return closedByItself(address, range, policy, own) ?? judgeRange(address, range, policy);
  }
  const inner = rangeOf(carried);
  const verdict = closedByItself(address, range, policy, own) ??
    closedByItself(carried, inner, policy, own) ?? judgeRange(carried, inner, policy);
  const because = `${text} is ${carried} behind NAT64; ${verdict.because}`;
  // The loopback of a translator is not this machine.
  return verdict.kind === "loopback" ? closed(because) : { ...verdict, because };
}

/** The IPv4 address that one of the operator's translators turns `address` into, if any. */
function translated(address: Address, range: Range, policy: EgressPolicy): Address | undefined {
  const prefix = policy.nat64Prefixes.find((cidr) => holds(cidr, address));
  if (prefix === undefined) return undefined;
  // Inside the prefix, what is never open is not translated.
  if (range.kind === "core" && !NAT64_RANGES.includes(range)) return undefined;
  return carriedIPv4(address, prefix.bits);
}

/** The verdict on an address closed whatever its range: denied, or this machine's own. */
function closedByItself(
  address: Address,
  range: Range,
  { denyCidrs }: EgressPolicy,
  own: readonly string[],
): AddressVerdict | undefined {
  const denied = denyCidrs.find((cidr) => holds(cidr, address));
  if (denied !== undefined) {
    const because = `${address} is in EXPORT_DENY_CIDRS, ${denied.text}`;
    return closed(because, `EXPORT_DENY_CIDRS without ${denied.text}`);
  }
  // Loopback has its own switch.
  if (range.kind === "loopback") return undefined;
  const isOwn = own.some((text) => parseAddress(text)?.toString() === address.toString());
  return isOwn ? closed(`${address} is an address of this very machine`) : undefined;
}

function judgeRange(address: Address, range: Range, policy: EgressPolicy): AddressVerdict {
  const { kind, text, what } = range;
  const { mode, allowCidrs, allowLoopback } = policy;
  const because = kind === "public"
    ? `${address} is a public address`
    : `${address} is in ${text}: ${what}`;
  if (NAT64_RANGES.includes(range)) return closed(because, `EXPORT_NAT64_PREFIXES=${text}`);
  if (kind === "core") return closed(because);
  if (kind === "loopback") {
    return allowLoopback
      ? { kind, because: `${because}, opened by EXPORT_UNSAFE_ALLOW_LOOPBACK` }
      : closed(because, LOOPBACK_SETTING);
  }
  const opened = allowCidrs.find((cidr) => holds(cidr, address));
  if (opened !== undefined) {
    const where = kind === "public" ? "internet" : "inside";
    return { kind: where, because: `${because}, opened by EXPORT_ALLOW_CIDRS, ${opened.text}` };
  }
  if (kind === "public") return { kind: mode === "listed" ? "unlisted" : "internet", because };
  if (kind === "private" && mode === "lan") {
    return { kind: "inside", because: `${because}, opened by EXPORT_EGRESS=lan` };
  }
  const lan = kind === "private" && mode === "public" ? ["EXPORT_EGRESS=lan"] : [];
  const settings = [...lan, settingForAddress(policy, `${address}`)];
  const openings = settings.filter((setting) => setting !== undefined);
  return closed(because, openings.length === 0 ? undefined : openings.join(" or "));
}

function closed(because: string, setting?: string): AddressVerdict {
  return { kind: "closed", because, setting };
}
