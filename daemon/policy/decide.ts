/**
 * Whether a message may come to a session: the one place that decides. Pure; what is counted is asked for only when
 * nothing else has decided before.
 */
import type { MessageEvent } from "#protocol/features/message.ts";
import type { InboundRule, MessageKind, Policy } from "#protocol/features/policy.ts";
import type { Role } from "#protocol/schema.ts";
import { midnight, quietUntil } from "./quiet.ts";

/** A peer that says how many hops there were is believed so many times longer than one that doesn't. */
const TRUST = 3;

export type Facts = {
  /** In ms. */
  now: number;
  sender: {
    member: string;
    name: string;
    session: string | null;
    role: Role | null;
    /** Its person lets them make an idle session work. */
    mayWake: boolean;
  };
  workspace: string;
  kinds: readonly MessageKind[];
  priority: MessageEvent["priority"];
  /** Null where the sender doesn't say. */
  hops: number | null;
  /** Its person wants it shown. */
  isReleased: boolean;
  session: {
    name: string;
    isDnd: boolean;
    /** It sits there and would begin a turn because of it. */
    isIdle: boolean;
    bypasses: boolean;
    /** What its client does with messages from outside. */
    inbound: "accept" | "hold" | "refuse";
  };
  counts: {
    /** In which turn it stands of a to and fro with nobody typing here. */
    turn(): number;
    /** How often the same words were shown lately. */
    repeats(): number;
    /** When there is room again for the sender's, within the rate; null: there is. In ms. */
    roomAt(rate: number): number | null;
    /** Of today. */
    wakeups(): number;
  };
};

/** `later`: not now; looked at again at that time in ms, or, where it is null, when something about the session changes. */
export type Verdict =
  | { post: true; held?: string }
  | { state: "held" | "refused"; reason: string }
  | { later: number | null; reason: string };

/** With what decided, by its name in the file where it has one. */
export type Ruling = { rule: string; verdict: Verdict };

export function decide(policy: Policy, facts: Facts): Ruling {
  const { session, isReleased } = facts;
  if (session.inbound === "refuse")
    return refused("client", `${session.name} takes no messages from outside (crossSessionInbound: refuse)`);
  if (isReleased) return posted("released", facts);
  const { ruling, accepted } = byRule(policy.inbound, facts);
  if (ruling) return ruling;
  return (
    bypassing(policy, facts) ?? looping(policy, facts) ?? waiting(policy, facts) ?? posted(accepted, facts)
  );
}

function posted(rule: string, { session }: Facts): Ruling {
  const isKept = session.inbound === "hold";
  return { rule, verdict: { post: true, ...(isKept ? { held: "its client asks its person first" } : {}) } };
}

function held(rule: string, reason: string): Ruling {
  return { rule, verdict: { state: "held", reason } };
}

function refused(rule: string, reason: string): Ruling {
  return { rule, verdict: { state: "refused", reason } };
}

/** What decides is the person's own business: the sender hears only that a rule did. */
function byRule(rules: readonly InboundRule[], facts: Facts): { ruling: Ruling | null; accepted: string } {
  const found = rules.findIndex((rule) => fits(rule, facts));
  const rule = rules[found];
  const name = rule ? `inbound ${found + 1}` : "default";
  if (rule?.do === "hold") return { ruling: held(name, "a rule holds it for its person"), accepted: name };
  if (rule?.do === "refuse") return { ruling: refused(name, "a rule refuses it"), accepted: name };
  return { ruling: null, accepted: name };
}

function fits(rule: InboundRule, { sender, workspace, kinds, priority }: Facts): boolean {
  const names = [sender.member, sender.name, ...(sender.session ? [`${sender.name}/${sender.session}`] : [])];
  return (
    isAmong(rule.from, names) &&
    isAmong(rule.role, sender.role === null ? [] : [sender.role]) &&
    isAmong(rule.workspace, [workspace]) &&
    isAmong(rule.kind, kinds) &&
    isAmong(rule.priority, [priority])
  );
}

function isAmong<T>(wanted: readonly T[] | undefined, found: readonly T[]): boolean {
  return wanted === undefined || found.some((one) => wanted.includes(one));
}

function bypassing(policy: Policy, { session }: Facts): Ruling | null {
  if (!session.bypasses || policy.bypass === "accept") return null;
  const why = `${session.name} runs without permission prompts`;
  return policy.bypass === "hold"
    ? held("bypass", `${why}; its person has to release it`)
    : refused("bypass", why);
}

function looping(policy: Policy, { hops, counts }: Facts): Ruling | null {
  const turn = counts.turn();
  const far = Math.max(hops ?? turn, Math.floor(turn / TRUST));
  if (far > policy.hops)
    return held("hops", `sessions have answered each other ${far - 1} times with nobody typing`);
  const repeats = counts.repeats();
  return repeats >= policy.repeats ? held("repeats", `the same words came ${repeats} times already`) : null;
}

function waiting(policy: Policy, facts: Facts): Ruling | null {
  const { now, sender, session, priority, counts } = facts;
  if (session.isDnd && priority !== "now")
    return { rule: "dnd", verdict: { later: null, reason: `${session.name} doesn't want to be disturbed` } };
  const quiet = quietUntil(policy.quiet, now, priority);
  if (quiet !== null) return { rule: "quiet", verdict: { later: quiet, reason: "quiet hours" } };
  const room = counts.roomAt(policy.rate);
  if (room !== null)
    return {
      rule: "rate",
      verdict: { later: room, reason: `more than ${policy.rate} messages in a minute` },
    };
  if (!session.isIdle) return null;
  if (!sender.mayWake) {
    const reason = `${sender.name} may not wake ${session.name}; it hears this with its next turn`;
    return { rule: "wake", verdict: { later: null, reason } };
  }
  if (counts.wakeups() < policy.wakeups) return null;
  const reason = `${session.name} was woken often enough today; it hears this with its next turn`;
  return { rule: "wakeups", verdict: { later: midnight(now, 1), reason } };
}
