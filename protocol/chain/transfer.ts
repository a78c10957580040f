/** The workspace changes hands: the owner offers it, the other one takes it. So both have signed. */
import { type Case, type Entry, notAllowed, nothingLeft, signedByMember } from "./case.ts";
import { otherMember } from "./roles.ts";
import { type ChainState, holdsKey, type Member } from "./state.ts";

/** A later offer takes the place of an earlier one. */
export async function admitOffer(at: Case, state: ChainState, entry: Entry<"offer">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (author.role !== "owner") throw notAllowed("only the owner offers the workspace");
  if ((state.offer?.member ?? null) === entry.member) throw nothingLeft("That is offered so already.");
  if (entry.member === null) return { ...state, offer: null };
  const member = requireFull(otherMember(state, author, entry.member));
  return { ...state, offer: { member: member.id, dev: at.record.header.dev } };
}

export async function admitAccept(at: Case, state: ChainState): Promise<ChainState> {
  const author = await signedByMember(at, state);
  const owner = state.members.get(state.owner);
  if (!owner || state.offer?.member !== author.id) throw notAllowed("the workspace isn't offered to them");
  const members = new Map(state.members)
    .set(owner.id, { ...owner, role: "admin" })
    .set(author.id, { ...requireFull(author), role: "owner" });
  return { ...state, members, owner: author.id, offer: null };
}

function requireFull(member: Member): Member {
  if (holdsKey(member)) return member;
  throw notAllowed("a guest holds no workspace key, so none can own the workspace");
}
