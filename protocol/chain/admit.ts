/**
 * Judges one chain entry against the state before it, and answers the state after it. Broker and every daemon run
 * this same judgement; it refuses, with a named error, whatever is not exactly the next entry by somebody entitled.
 * Expiry of invites is the broker's to enforce: only it has the clock that counts.
 */
import { concat, equalBytes, fromBase64url } from "../bytes.ts";
import { idOf } from "../derive.ts";
import { type ErrorCode, MeshError } from "../errors.ts";
import { CHAIN } from "../ids.ts";
import type { Curves } from "../ports.ts";
import { recordHash, type SealedRecord } from "../record.ts";
import {
  type Case,
  type Entry,
  FOREVER,
  invalid,
  notAllowed,
  requireRecordSignature,
  signedByMember,
} from "./case.ts";
import {
  type ChainEntry,
  certificateInput,
  decodeEntry,
  type EpochEntry,
  joinProofInput,
  workspaceId,
} from "./entries.ts";
import { admitLeave, admitRemove, admitRole } from "./roles.ts";
import {
  activeMember,
  awaitingKey,
  type ChainState,
  currentEpoch,
  type Device,
  holdsKey,
  type Invite,
  mayInvite,
} from "./state.ts";

type Newcomer = { root: string; sealing: string; device: { key: string; certificate: string } };

/** @throws MeshError chain_invalid, chain_conflict, bad_signature, wrong_author, unknown_device, not_allowed, invite_… */
export async function admit(
  curves: Curves,
  workspace: string,
  state: ChainState | null,
  record: SealedRecord,
  sequence: number,
): Promise<ChainState> {
  const { header } = record;
  if (header.to !== CHAIN || header.alg !== "none" || header.put) throw invalid("it is not a chain entry");
  const entry = decodeEntry(record.body);
  const at: Case = { curves, workspace, record, sequence };
  if (!state) {
    if (entry.type !== "genesis") throw invalid("a chain begins with its genesis");
    return admitGenesis(at, entry);
  }
  if (header.head?.height !== state.head.height || header.head.hash !== state.head.hash) {
    throw new MeshError(
      "chain_conflict",
      "The chain has moved on since this entry was made.",
      "Make it anew on the current head.",
    );
  }
  if (header.epoch !== (currentEpoch(state)?.number ?? 0)) throw invalid("it names another epoch");
  const next = await admitNext(at, state, entry);
  return { ...next, head: { height: state.head.height + 1, hash: recordHash(record.bytes) } };
}

function admitNext(at: Case, state: ChainState, entry: ChainEntry): Promise<ChainState> {
  switch (entry.type) {
    case "genesis":
      throw invalid("a chain has one genesis");
    case "device":
      return admitDevice(at, state, entry);
    case "invite":
      return admitInvite(at, state, entry);
    case "join":
      return admitJoin(at, state, entry);
    case "revoke":
      return admitRevoke(at, state, entry);
    case "leave":
      return admitLeave(at, state);
    case "remove":
      return admitRemove(at, state, entry);
    case "role":
      return admitRole(at, state, entry);
    case "epoch":
      return admitEpoch(at, state, entry);
  }
}

async function admitGenesis(at: Case, entry: Entry<"genesis">): Promise<ChainState> {
  const { header, bytes } = at.record;
  if (header.head !== null || header.epoch !== 0) throw invalid("a genesis has nothing before it");
  if (workspaceId(entry) !== at.workspace) throw invalid("the genesis is another workspace's");
  if (fromBase64url(entry.nonce).length !== 32) throw invalid("the genesis nonce has 32 bytes");
  const device = await newcomerDevice(at, entry);
  const owner = {
    id: header.from,
    role: "owner" as const,
    root: key32(entry.root),
    sealing: key32(entry.sealing),
    seed: entry.seed,
    joined: at.sequence,
    invitedBy: null,
    invite: null,
    active: true,
  };
  return {
    workspace: at.workspace,
    head: { height: 0, hash: recordHash(bytes) },
    owner: owner.id,
    members: new Map([[owner.id, owner]]),
    devices: new Map([[device.id, device]]),
    invites: new Map(),
    epochs: [],
    stale: false,
  };
}

/** A further device of somebody who is in already; it speaks for itself with the root's certificate. */
async function admitDevice(at: Case, state: ChainState, entry: Entry<"device">): Promise<ChainState> {
  const member = activeMember(state, at.record.header.from);
  if (!member) throw notAllowed("only a member adds devices");
  const device = await certifiedDevice(at, member.root, entry.device);
  return { ...state, devices: withDevice(state, device) };
}

async function admitInvite(at: Case, state: ChainState, entry: Entry<"invite">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (!mayInvite(author.role)) throw notAllowed("only an owner or an admin invites");
  if (entry.role === "admin" && author.role !== "owner") throw notAllowed("only the owner makes admins");
  if (state.invites.has(entry.code))
    throw new MeshError("conflict", "This invite code is taken.", "Create another invite.");
  const { code, role, expiresAt, uses, mail = false } = entry;
  const wrapped = wrappedKey(state, entry);
  if ((wrapped || mail) && uses !== 1)
    throw invalid("an invite by e-mail, or with a key in it, is for one use");
  const made = { code, role, expiresAt, uses, wrapped, mail, key: key32(entry.key), by: author.id };
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

async function admitRevoke(at: Case, state: ChainState, entry: Entry<"revoke">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (!mayInvite(author.role)) throw notAllowed("only an owner or an admin revokes an invite");
  const invite = state.invites.get(entry.code);
  if (!invite) throw refusedInvite("invite_not_found", "There is no such invite.");
  if (invite.void)
    throw new MeshError("chain_conflict", "This invite is void already.", "Nothing is left to do.");
  return { ...state, invites: new Map(state.invites).set(invite.code, { ...invite, void: true }) };
}

async function admitJoin(at: Case, state: ChainState, entry: Entry<"join">): Promise<ChainState> {
  const user = at.record.header.from;
  const invite = state.invites.get(entry.code);
  if (!invite) throw refusedInvite("invite_not_found", "There is no such invite.");
  if (invite.void) throw refusedInvite("invite_revoked", "This invite has been revoked.");
  if (invite.used >= invite.uses) throw refusedInvite("invite_exhausted", "This invite has been used up.");
  if (activeMember(state, user))
    throw new MeshError("conflict", "You are a member of this workspace already.", "Just use it.");
  const device = await newcomerDevice(at, entry);
  const root = key32(entry.root);
  const sealing = key32(entry.sealing);
  const proof = joinProofInput(at.workspace, { code: entry.code, user, root, sealing });
  if (!(await at.curves.verify(invite.key, proof, fromBase64url(entry.proof)))) {
    throw refusedInvite("invite_bad_signature", "The invite's secret doesn't fit its key.");
  }
  const member = {
    id: user,
    role: invite.role,
    root,
    sealing,
    seed: entry.seed,
    joined: at.sequence,
    invitedBy: invite.by,
    invite: invite.code,
    active: true,
  };
  return {
    ...state,
    members: new Map(state.members).set(user, member),
    devices: withDevice(state, device),
    invites: new Map(state.invites).set(invite.code, { ...invite, used: invite.used + 1 }),
  };
}

async function admitEpoch(at: Case, state: ChainState, entry: EpochEntry): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (!holdsKey(author)) throw notAllowed("a guest holds no workspace key");
  const current = currentEpoch(state);
  const sealed = new Map(
    Object.entries(entry.sealed).map(([to, box]) => [
      to,
      { by: author.id, bySealing: author.sealing, box: fromBase64url(box) },
    ]),
  );
  const commitment = key32(entry.commitment);
  const previous = fromBase64url(entry.previous);

  if (current && entry.number === current.number) {
    if (state.stale) throw invalid("a stale epoch is sealed to nobody");
    if (!equalBytes(commitment, current.commitment)) throw invalid("the epoch has another key");
    if (previous.length > 0) throw invalid("the key before is sealed once");
    const waiting = new Set(awaitingKey(state).map((member) => member.id));
    if (sealed.size === 0 || ![...sealed.keys()].every((id) => waiting.has(id))) {
      throw new MeshError("chain_conflict", "These members have the key already.", "Nothing is left to do.");
    }
    const grown = { ...current, sealed: new Map([...current.sealed, ...sealed]) };
    return { ...state, epochs: [...state.epochs.slice(0, -1), grown] };
  }

  if (entry.number !== (current ? current.number + 1 : 0)) throw invalid("the epoch's number doesn't follow");
  if (previous.length > 0 !== (current !== undefined)) throw invalid("a new epoch carries the key before it");
  const holders = [...state.members.values()].filter(holdsKey);
  if (sealed.size !== holders.length || !holders.every((member) => sealed.has(member.id))) {
    throw invalid("a new epoch is sealed to every full member and nobody else");
  }
  return {
    ...state,
    epochs: [...state.epochs, { number: entry.number, commitment, previous, sealed }],
    stale: false,
  };
}

/** For genesis and join: user id, root, certificate, device id and signature must all hang together. */
async function newcomerDevice(at: Case, { root, device }: Newcomer): Promise<Device> {
  const rootKey = key32(root);
  if (idOf(rootKey) !== at.record.header.from) {
    throw new MeshError("wrong_author", "The user id is not the hash of the root key.", "Drop it.");
  }
  return certifiedDevice(at, rootKey, device);
}

async function certifiedDevice(at: Case, root: Uint8Array, device: Newcomer["device"]): Promise<Device> {
  const { from, dev } = at.record.header;
  const key = key32(device.key);
  if (idOf(key) !== dev)
    throw new MeshError("wrong_author", "The device id is not the hash of its key.", "Drop it.");
  if (!(await at.curves.verify(root, certificateInput(from, key), fromBase64url(device.certificate)))) {
    throw new MeshError("bad_signature", "The device isn't certified by its owner's root key.", "Drop it.");
  }
  await requireRecordSignature(at, key);
  return { id: dev, key, member: from, spans: [{ from: at.sequence, until: FOREVER }] };
}

/** A device comes, or comes back after it left. What it said before stays its member's, so it never changes hands. */
function withDevice(state: ChainState, device: Device): ReadonlyMap<string, Device> {
  const known = state.devices.get(device.id);
  if (known && known.member !== device.member) throw invalid("the device is another member's");
  if (known?.spans.some((span) => span.until === FOREVER))
    throw invalid("the device is in the workspace already");
  return new Map(state.devices).set(device.id, {
    ...device,
    spans: [...(known?.spans ?? []), ...device.spans],
  });
}

function key32(text: string): Uint8Array {
  const key = fromBase64url(text);
  if (key.length !== 32) throw invalid("a key has 32 bytes");
  return concat(key);
}

function refusedInvite(code: ErrorCode, message: string): MeshError {
  return new MeshError(code, message, "Ask for a new invite link.");
}
