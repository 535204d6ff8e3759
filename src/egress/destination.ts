/**
 * Which destinations are permissible, as far as the URL and the given addresses show, and why.
 * Pure: never resolves a name, never opens a socket, never asks who is sending.
 */
import { ADDRESSES_MAX } from "../limits.ts";
import { type AddressVerdict, judgeAddress, LOOPBACK_SETTING } from "./address.ts";
import { isAddress } from "./cidr.ts";
import { isLocalhost, isOfTheBox, isSingleLabel, isWellFormed, specialNameOf } from "./names.ts";
import { type EgressPolicy, isListed, settingForAddress, settingForHost } from "./policy.ts";
import type { Rule, Step } from "./rules.ts";
import { checkSpelling, hostOf, portOf } from "./spelling.ts";

/** What a destination is judged against. */
export interface Ground {
  readonly policy: EgressPolicy;
  /** The addresses of this machine, which no setting opens. */
  readonly own: readonly string[];
}

/** Whether a destination is permissible; if not, the first rule it breaks. The steps say why. */
export type Verdict =
  | { readonly kind: "permitted"; readonly url: URL; readonly steps: readonly Step[] }
  | { readonly kind: "refused"; readonly rule: Rule; readonly steps: readonly Step[] };

/** Everything about a destination that can be decided without resolving its name. */
export function checkDestination(uri: string, ground: Ground): Verdict {
  const spelling = checkSpelling(uri);
  if (spelling.kind === "misspelt") {
    const { rule, because } = spelling;
    return { kind: "refused", rule, steps: [{ rule, holds: false, because }] };
  }
  const { url } = spelling;
  const { policy } = ground;
  const host = hostOf(url);
  if (isAddress(host)) return checkAddresses(url, [host], ground);
  if (isLocalhost(host) && policy.allowLoopback) return decide(url, []);
  return decide(url, [
    nameStep(url, policy),
    schemeStep(url, policy),
    firstPortStep(url, policy),
    // If ranges are listed, its addresses may be in one of them.
    ...(policy.mode === "listed" && policy.allowCidrs.length === 0 ? [listStep(url, policy)] : []),
  ]);
}

/** What the addresses of a destination add to `checkDestination`; a single bad one refuses it. */
export function checkAddresses(url: URL, addresses: readonly string[], ground: Ground): Verdict {
  const { policy, own } = ground;
  if (addresses.length === 0 || addresses.length > ADDRESSES_MAX) {
    const because = `it has ${addresses.length} addresses; 1 to ${ADDRESSES_MAX} can be checked`;
    return decide(url, [{ rule: "address", holds: false, because }]);
  }
  const verdicts = addresses.map((address) => judgeAddress(address, policy, own));
  const isThisMachine = verdicts.every(({ kind }) => kind === "loopback");
  const steps = verdicts.map((verdict) => addressStep(url, verdict, isThisMachine));
  if (isThisMachine) return decide(url, steps);
  const unlisted = verdicts.some(({ kind }) => kind === "unlisted");
  return decide(url, [
    ...steps,
    ...(unlisted ? [listStep(url, policy)] : []),
    schemeStep(url, policy),
    portStep(url, policy),
  ]);
}

function decide(url: URL, steps: readonly Step[]): Verdict {
  const broken = steps.find(({ holds }) => !holds);
  return broken === undefined
    ? { kind: "permitted", url, steps }
    : { kind: "refused", rule: broken.rule, steps };
}

function nameStep(url: URL, policy: EgressPolicy): Step {
  const host = hostOf(url);
  const special = specialNameOf(host);
  const rule = special === undefined ? "host" : "special_name";
  if (!isWellFormed(host)) return { rule, holds: false, because: `${host} is not a host name` };
  if (special === undefined && !isSingleLabel(host)) {
    return { rule, holds: true, because: `${host} is a full host name` };
  }
  if (isListed(policy, host, portOf(url))) {
    return { rule, holds: true, because: `${host} is in EXPORT_ALLOW_HOSTS` };
  }
  const because = special === undefined
    ? `${host} is a single word, which a search domain would complete`
    : `${host} is under ${special}, which no public name server answers for`;
  const setting = isLocalhost(host) ? LOOPBACK_SETTING : settingForHost(policy, url.host);
  return { rule, holds: false, because, setting };
}

function schemeStep(url: URL, { schemes }: EgressPolicy): Step {
  const scheme = url.protocol.slice(0, -1);
  const holds = schemes.some((each) => each === scheme);
  const because = `${scheme} is ${holds ? "" : "not "}in EXPORT_SCHEMES, ${schemes.join()}`;
  return {
    rule: "scheme",
    holds,
    because,
    ...(!holds && { setting: "EXPORT_SCHEMES=https,http" }),
  };
}

/** The ports of web servers. Others belong to services that may mistake a request for their own. */
function portStep(url: URL, policy: EgressPolicy): Step {
  const port = portOf(url);
  const host = hostOf(url);
  const entry = policy.allowHosts.find((each) => each.host === host && each.port === port);
  if (entry !== undefined) {
    return { rule: "port", holds: true, because: `${entry.text} is in EXPORT_ALLOW_HOSTS` };
  }
  const { ports } = policy;
  const holds = ports.includes(port);
  const because = `${port} is ${holds ? "" : "not "}in EXPORT_PORTS, ${ports.join()}`;
  const setting = `EXPORT_PORTS=${[...ports, port].join()}`;
  return { rule: "port", holds, because, ...(!holds && port > 0 && { setting }) };
}

/** With loopback open, a name may turn out to be this machine, where any port is permitted. */
function firstPortStep(url: URL, policy: EgressPolicy): Step {
  const step = portStep(url, policy);
  if (step.holds || !policy.allowLoopback) return step;
  const because = `${step.because}; with loopback open that is judged at each attempt`;
  return { rule: "port", holds: true, because };
}

function listStep(url: URL, policy: EgressPolicy): Step {
  const holds = isListed(policy, hostOf(url), portOf(url));
  const because = `${url.host} is ${holds ? "" : "not "}in EXPORT_ALLOW_HOSTS`;
  if (holds) return { rule: "not_listed", holds, because };
  const host = hostOf(url);
  const setting = isAddress(host)
    ? settingForAddress(policy, host)
    : settingForHost(policy, url.host);
  return { rule: "not_listed", holds, because, setting };
}

function addressStep(url: URL, verdict: AddressVerdict, isThisMachine: boolean): Step {
  const { kind, because, setting } = verdict;
  const host = hostOf(url);
  const no = (why: string): Step => ({ rule: "address", holds: false, because: why });
  if (kind === "closed") return { ...no(because), setting };
  if (kind === "loopback" && !isThisMachine) return no(`${because}, but not all its addresses are`);
  if (kind !== "loopback" && isLocalhost(host)) return no(`${because}, but ${host} is elsewhere`);
  if (kind === "inside" && isOfTheBox(host)) {
    return no(`${because}, but ${host} is a name of the box's own parts`);
  }
  return { rule: "address", holds: true, because };
}
