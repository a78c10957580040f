/** policy.show, save, test */
import { MeshError } from "#protocol/errors.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Caller } from "#sdk/peer.ts";
import type { Verdict } from "../policy/decide.ts";
import type { Judge } from "../policy/judge.ts";
import type { Rules } from "../policy/rules.ts";
import type { Sessions } from "../sessions.ts";

export function policyHandlers(
  rules: Rules | null,
  judge: Pick<Judge, "imagine">,
  sessions: Pick<Sessions, "find">,
): Handlers<Caller>["policy"] {
  /** @throws MeshError not_allowed where a client sees one workspace alone */
  const own = (): Rules => {
    if (rules) return rules;
    throw new MeshError(
      "not_allowed",
      "The rules are of all workspaces.",
      "Ask at the daemon's own socket, outside of here.",
    );
  };

  return {
    show: () => ({
      path: own().path,
      trouble: own().trouble()?.message ?? null,
      policy: own().now(),
      text: own().text(),
    }),
    save: ({ text }) => ({ path: own().path, policy: own().save(text) }),
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
