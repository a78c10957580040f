/** How one comes in: the genesis lets in the owner, an invite whoever has its secret. */
import { fromBase64url } from "../bytes.ts";
import { type ErrorCode, MeshError } from "../errors.ts";
import { recordHash } from "../record.ts";
import { type Case, type Entry, invalid, key32, notAllowed, nothingLeft, signedByMember } from "./case.ts";
import { newcomerDevice, withDevice } from "./devices.ts";
import { workspaceId } from "./entries.ts";
import { joinProofInput } from "./proofs.ts";
import { withSealing } from "./seeds.ts";
import { activeMember, type ChainState, currentEpoch, type Invite, type Member, mayInvite } from "./state.ts";

export async function admitGenesis(at: Case, entry: Entry<"genesis">): Promise<ChainState> {
  const { header, bytes } = at.record;
  if (header.head !== null || header.epoch !== 0) throw invalid("a genesis has nothing before it");
  if (workspaceId(entry) !== at.workspace) throw invalid("the genesis is another workspace's");
  if (fromBase64url(entry.nonce).length !== 32) throw invalid("the genesis nonce has 32 bytes");
  const root = key32(entry.root);
  const device = await newcomerDevice(at, root, new Set(), entry.device);
  const owner: Member = {
    id: header.from,
    role: "owner",
    root,
    ...withSealing(undefined, entry.seed, key32(entry.sealing)),
    revoked: new Set(),
    joined: at.sequence,
    invitedBy: null,
    invite: null,
    active: true,
    became: null,
  };
  return {
    workspace: at.workspace,
    head: { height: 0, hash: recordHash(bytes) },
    owner: owner.id,
    members: new Map([[owner.id, owner]]),
    devices: withDevice({ devices: new Map() }, owner.id, device, at.sequence),
    invites: new Map(),
    epochs: [],
    offer: null,
    stale: false,
  };
}

export async function admitInvite(at: Case, state: ChainState, entry: Entry<"invite">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (!mayInvite(author.role)) throw notAllowed("only an owner or an admin invites");
  if (entry.role === "admin" && author.role !== "owner") throw notAllowed("only the owner makes admins");
  if (state.invites.has(entry.code))
    throw new MeshError("conflict", "This invite code is taken.", "Create another invite.");
  const { code, role, expiresAt, uses, mail = false } = entry;
  const wrapped = wrappedKey(state, entry);
  if ((wrapped || mail) && uses !== 1)
    throw invalid("an invite by e-mail, or with a key in it, is for one use");
  const key = key32(entry.key);
  const { dev } = at.record.header;
  const made = { code, role, expiresAt, uses, wrapped, mail, key, by: author.id, dev };
  const invite = { ...made, used: 0, void: false };
  return { ...state, invites: new Map(state.invites).set(code, invite) };
}

function wrappedKey(state: ChainState, { wrapped, role, mail }: Entry<"invite">): Invite["wrapped"] {
  if (wrapped === undefined) return null;
  const epoch = currentEpoch(state);
  if (!epoch || state.stale) throw invalid("there is no fresh epoch whose key an invite could carry");
  if (role === "guest") throw invalid("a guest holds no workspace key");
  if (mail) throw invalid("who is approved by hand is given the key by hand");
  return { epoch: epoch.number, box: fromBase64url(wrapped) };
}

export async function admitRevoke(at: Case, state: ChainState, entry: Entry<"revoke">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (!mayInvite(author.role)) throw notAllowed("only an owner or an admin revokes an invite");
  const invite = state.invites.get(entry.code);
  if (!invite) throw refusedInvite("invite_not_found", "There is no such invite.");
  if (invite.void) throw nothingLeft("This invite is void already.");
  return { ...state, invites: new Map(state.invites).set(invite.code, { ...invite, void: true }) };
}

export async function admitJoin(at: Case, state: ChainState, entry: Entry<"join">): Promise<ChainState> {
  const user = at.record.header.from;
  const invite = state.invites.get(entry.code);
  if (!invite) throw refusedInvite("invite_not_found", "There is no such invite.");
  if (invite.void) throw refusedInvite("invite_revoked", "This invite has been revoked.");
  if (invite.used >= invite.uses) throw refusedInvite("invite_exhausted", "This invite has been used up.");
  if (activeMember(state, user))
    throw new MeshError("conflict", "You are a member of this workspace already.", "Just use it.");
  const known = state.members.get(user);
  const root = key32(entry.root);
  const revoked = known?.revoked ?? new Set();
  const device = await newcomerDevice(at, root, revoked, entry.device);
  const sealing = key32(entry.sealing);
  const proof = joinProofInput(at.workspace, { code: entry.code, user, root, sealing });
  if (!(await at.curves.verify(invite.key, proof, fromBase64url(entry.proof)))) {
    throw refusedInvite("invite_bad_signature", "The invite's secret doesn't fit its key.");
  }
  const member: Member = {
    id: user,
    role: invite.role,
    root,
    ...withSealing(known, entry.seed, sealing),
    revoked,
    joined: at.sequence,
    invitedBy: invite.by,
    invite: invite.code,
    active: true,
    became: null,
  };
  return {
    ...state,
    members: new Map(state.members).set(user, member),
    devices: withDevice(state, user, device, at.sequence),
    invites: new Map(state.invites).set(invite.code, { ...invite, used: invite.used + 1 }),
  };
}

function refusedInvite(code: ErrorCode, message: string): MeshError {
  return new MeshError(code, message, "Ask for a new invite link.");
}
