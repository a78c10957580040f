/**
 * Requests that wait for the person's yes. Each is held by the connection that asked, in this process and nowhere else: so it runs
 * once or not at all, and goes with whoever asked. Another of the person's machines sees it, and answers it, by asking this one.
 */
import { MeshError } from "#protocol/errors.ts";
import type { Approval } from "#protocol/features/approval.ts";
import { createRecordIds } from "#protocol/ids.ts";
import type { Clock, Random, Timers } from "#protocol/ports.ts";
import type { Question } from "#protocol/signal.ts";
import type { Teller } from "#sdk/context.ts";

/** At once: a person can't be buried in them. */
const MOST_WAITING = 20;
/** Of those that are decided, so many can be shown. */
const MOST_PAST = 50;

export type Outcome = { approval: Approval; by: string | null };

export type Approvals = {
  /** Resolves when it is decided, whatever was decided. @throws MeshError busy */
  hold(
    request: HeldRequest,
    ended: (run: () => void) => void,
  ): { approval: Approval; outcome: Promise<Outcome> };
  waiting(): readonly Approval[];
  past(): readonly Approval[];
  /** @throws MeshError not_found for one that doesn't wait here any more */
  decide(id: string, yes: boolean, by: string): Approval;
};

export type HeldRequest = Omit<Approval, "id" | "state" | "at" | "until"> & { patienceMs: number };

type Waiting = { approval: Approval; settle(state: Approval["state"], by: string | null): Approval };

export function createApprovals({
  clock,
  timers,
  random,
}: {
  clock: Clock;
  timers: Timers;
  random: Random;
}): Approvals {
  const waiting = new Map<string, Waiting>();
  const past: Approval[] = [];
  const newId = createRecordIds(clock, random);
  const iso = (ms: number) => new Date(ms).toISOString();

  return {
    hold({ patienceMs, ...request }, ended) {
      if (waiting.size >= MOST_WAITING)
        throw new MeshError(
          "busy",
          `${MOST_WAITING} requests wait for their person's yes already.`,
          "See `claudemesh approvals list`.",
        );
      const now = clock.now();
      const times = { at: iso(now), until: iso(now + patienceMs) };
      const approval: Approval = { id: newId(), state: "waiting", ...request, ...times };
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const settle: Waiting["settle"] = (state, by) => {
        const settled = { ...approval, state };
        if (!waiting.delete(approval.id)) return settled;
        cancel();
        past.push(settled);
        past.splice(0, past.length - MOST_PAST);
        resolve({ approval: settled, by });
        return settled;
      };
      const cancel = timers.after(patienceMs, () => settle("expired", null));
      waiting.set(approval.id, { approval, settle });
      ended(() => settle("withdrawn", null));
      return { approval, outcome: promise };
    },
    waiting: () => [...waiting.values()].map(({ approval }) => approval),
    past: () => past,
    decide(id, yes, by) {
      const found = waiting.get(id);
      if (found) return found.settle(yes ? "approved" : "denied", by);
      throw new MeshError(
        "not_found",
        "That request doesn't wait any more: it was decided, ran out of time, or its session has gone.",
        "See `claudemesh approvals list`, and `claudemesh audit decisions`.",
      );
    },
  };
}

/** What this machine says to another that asks; undefined for what isn't about approvals. @throws MeshError not_allowed, not_found */
export function answerAbout(
  approvals: Approvals,
  me: () => string,
  nameOf: (dev: string) => string,
): (question: Question, from: Teller) => unknown {
  return (question, { member, dev }) => {
    if (question.kind !== "approval.waiting" && question.kind !== "approval.answer") return undefined;
    if (member !== me())
      throw new MeshError("not_allowed", "Only my own machines are told.", "Ask the person.");
    if (question.kind === "approval.waiting") return { approvals: approvals.waiting() };
    return approvals.decide(question.id, question.yes, nameOf(dev));
  };
}
