/** The safety number, what I make of somebody's key, and whom I have met. */
import { MeshError } from "#protocol/errors.ts";
import type { Handlers } from "#protocol/registry.ts";
import { safetyNumber } from "#protocol/safety-number.ts";
import type { Happening } from "../context.ts";
import { findPeer } from "../messages/address.ts";
import { memberNames } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";

/** Who writes to me, or is written to by me, is the one whom the name stands for from then on. */
export function meetByMessage() {
  return ({ workspace }: Opened, happening: Happening): void => {
    if (happening.type !== "applied" || !happening.isNew || happening.event.kind !== "message") return;
    const { from, label } = happening.record;
    if (from === workspace.me) workspace.trust.meet(label);
    else if (label === workspace.me) workspace.trust.meet(from);
  };
}

export function trustHandlers(peer: Peer): Pick<Handlers<Caller>["peer"], "verify" | "trust"> {
  return {
    verify({ workspace: selector, peer: text }) {
      const { opened, id } = findOther(peer, selector, text);
      const theirs = opened.workspace.chain()?.members.get(id)?.root;
      if (!theirs) throw new Error("who is found is a member");
      return { ...trusted(opened, id), ...safetyNumber(peer.account.rootKey, theirs) };
    },
    trust({ workspace: selector, peer: text, as }) {
      const { opened, id } = findOther(peer, selector, text);
      opened.workspace.trust.mark(id, as);
      return trusted(opened, id);
    },
  };
}

/** @throws MeshError usage for oneself */
export function findOther(
  peer: Peer,
  selector: string | undefined,
  text: string,
): { opened: Opened; id: string } {
  const found = findPeer(peer, selector, text);
  if (found.id !== found.opened.workspace.me) return found;
  throw new MeshError("usage", "That is you.", "Name somebody else: claudemesh peers");
}

function trusted({ slug, workspace }: Opened, id: string) {
  return {
    member: id,
    name: memberNames(workspace).get(id) ?? id,
    workspace: slug,
    ...workspace.trust.of(id),
  };
}
