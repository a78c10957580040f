/** Who goes and who becomes what: leaving, being removed, another role. */
import { MeshError } from "../errors.ts";
import type { Role } from "../schema.ts";
import { type Case, type Entry, notAllowed, nothingLeft, signedByMember } from "./case.ts";
import { silenced } from "./devices.ts";
import { activeMember, type ChainState, holdsKey, type Invite, type Member } from "./state.ts";

/** All of the member's devices fall with it, and the epoch is stale. */
export async function admitLeave(at: Case, state: ChainState): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (author.role === "owner") throw notAllowed("the owner hands the workspace over before leaving it");
  return without(state, author, at.sequence);
}

/** Nobody comes in any more by a link that was open then: who was removed may have passed one on. */
export async function admitRemove(at: Case, state: ChainState, entry: Entry<"remove">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  const member = otherMember(state, author, entry.member);
  requireAbove(author, member.role);
  return { ...without(state, member, at.sequence), invites: voided(state, () => true) };
}

/** Only the owner makes and unmakes admins. The links of who is no admin any more are void. */
export async function admitRole(at: Case, state: ChainState, entry: Entry<"role">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  const member = otherMember(state, author, entry.member);
  requireAbove(author, member.role);
  requireAbove(author, entry.role);
  if (member.role === entry.role) throw nothingLeft("The member has that role already.");
  const changed = { ...member, role: entry.role };
  return {
    ...state,
    members: new Map(state.members).set(member.id, changed),
    invites: member.role === "admin" ? voided(state, ({ by }) => by === member.id) : state.invites,
    stale: state.stale || (holdsKey(member) && !holdsKey(changed)),
  };
}

export function otherMember(state: ChainState, author: Member, id: string): Member {
  const member = activeMember(state, id);
  if (!member) throw new MeshError("not_found", "That member isn't in the workspace.", "See who is.");
  if (member.id === author.id) throw notAllowed("nobody changes themselves");
  return member;
}

function requireAbove(author: Member, role: Role): void {
  if (role === "owner") throw notAllowed("the owner stays the owner until another one has taken over");
  if (author.role === "owner" || (author.role === "admin" && role !== "admin")) return;
  throw notAllowed(
    role === "admin" ? "only the owner makes and unmakes admins" : "only an owner or an admin does that",
  );
}

/** Gone with all devices, and with what was offered to it. */
export function without(state: ChainState, member: Member, sequence: number): ChainState {
  const members = new Map(state.members).set(member.id, { ...member, active: false });
  const devices = silenced(state, member.id, sequence);
  const offer = state.offer?.member === member.id ? null : state.offer;
  return { ...state, members, devices, offer, stale: true };
}

function voided(state: ChainState, which: (invite: Invite) => boolean): ChainState["invites"] {
  const invites = [...state.invites].map(
    ([code, invite]) => [code, which(invite) ? { ...invite, void: true } : invite] as const,
  );
  return new Map(invites);
}
