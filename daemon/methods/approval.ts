/** approval.list, show, approve, deny, decisions: what waits for a yes here and on the person's other machines */
import { MeshError } from "#protocol/errors.ts";
import { type Approval, approval, waitingAnswer } from "#protocol/features/approval.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Question } from "#protocol/signal.ts";
import { deviceName } from "#sdk/features/account.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import type { Approvals } from "../approvals.ts";
import type { Decisions } from "../ports.ts";

const ASK_LIMIT_MS = 3000;

/** `ask`: of the machine that holds it; null for this one. */
type Found = { approval: Approval; ask: ((question: Question) => Promise<unknown>) | null };

export function approvalHandlers(
  peer: Peer,
  approvals: Approvals,
  decisions: Decisions,
): Handlers<Caller>["approval"] {
  /** My other devices, each by one workspace in which it can be reached. */
  const otherDevices = async () => {
    await Promise.all(peer.opened().map(({ workspace }) => workspace.presence.refresh()));
    const devices = new Map<string, NonNullable<Found["ask"]>>();
    for (const { workspace } of peer.opened()) {
      for (const { member, dev } of workspace.presence.present()) {
        if (member !== workspace.me || dev === peer.account.device.id) continue;
        devices.set(dev, (question) => workspace.signals.ask(dev, question, ASK_LIMIT_MS));
      }
    }
    return [...devices.values()];
  };

  const elsewhere = async (): Promise<Found[]> => {
    const asked = (await otherDevices()).map(async (ask) => {
      const { approvals: there } = waitingAnswer.parse(await ask({ kind: "approval.waiting" }));
      return there.map((one) => ({ approval: one, ask }));
    });
    const answers = await Promise.allSettled(asked);
    // Who doesn't answer has nothing that could be decided from here.
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  };

  const all = async (): Promise<Found[]> => {
    const here = approvals.waiting().map((one) => ({ approval: one, ask: null }));
    return [...here, ...(await elsewhere())].toSorted((a, b) => (a.approval.id < b.approval.id ? -1 : 1));
  };

  const decide = async (part: string, yes: boolean): Promise<Approval> => {
    const { approval: found, ask } = only(await all(), part, "waits");
    if (ask) return approval.parse(await ask({ kind: "approval.answer", id: found.id, yes }));
    return approvals.decide(found.id, yes, deviceName(peer, peer.account.device.id));
  };

  return {
    async list() {
      return { approvals: (await all()).map((one) => one.approval) };
    },
    async show({ id }) {
      const past = approvals.past().map((one) => ({ approval: one, ask: null }));
      return only([...(await all()), ...past], id, "is known").approval;
    },
    approve: ({ id }) => decide(id, true),
    deny: ({ id }) => decide(id, false),
    decisions: ({ limit = 100 }) => ({ decisions: decisions.newest(limit) }),
  };
}

/** By a whole id, or a unique prefix or suffix. @throws MeshError not_found, ambiguous */
function only(among: readonly Found[], part: string, what: string): Found {
  const [found, another] = among.filter(({ approval: { id } }) => id.startsWith(part) || id.endsWith(part));
  if (!found)
    throw new MeshError("not_found", `No request ${part} ${what}.`, "See `claudemesh approvals list`.");
  if (another)
    throw new MeshError("ambiguous", `Several requests have an id like ${part}.`, "Give more of it.");
  return found;
}
