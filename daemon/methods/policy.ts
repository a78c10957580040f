/** policy.show, save, test */
import type { Handlers } from "#protocol/registry.ts";
import type { Caller } from "#sdk/peer.ts";
import type { Verdict } from "../policy/decide.ts";
import type { Judge } from "../policy/judge.ts";
import type { Rules } from "../policy/rules.ts";
import type { Sessions } from "../sessions.ts";

export function policyHandlers(
  rules: Omit<Rules, "onChange" | "close">,
  judge: Pick<Judge, "imagine">,
  sessions: Pick<Sessions, "find">,
): Handlers<Caller>["policy"] {
  return {
    show: () => ({
      path: rules.path,
      trouble: rules.trouble()?.message ?? null,
      policy: rules.now(),
      text: rules.text(),
    }),
    save: ({ text }) => ({ path: rules.path, policy: rules.save(text) }),
    test(imagined) {
      const session = imagined.to === undefined ? null : sessions.find(imagined.to);
      const { rule, verdict } = judge.imagine(imagined, session);
      return { rule, ...outcomeOf(verdict) };
    },
  };
}

function outcomeOf(verdict: Verdict) {
  if ("post" in verdict) return { outcome: "accept" as const, reason: verdict.held ?? null, until: null };
  const { reason } = verdict;
  if ("later" in verdict) {
    const until = verdict.later === null ? null : new Date(verdict.later).toISOString();
    return { outcome: "later" as const, reason, until };
  }
  return { outcome: verdict.state === "held" ? ("hold" as const) : ("refuse" as const), reason, until: null };
}
