/** What a membership chain says, as a value: who belongs, with which devices, under which epoch. */
import { MeshError } from "../errors.ts";
import type { ChainHead, Role } from "../schema.ts";

export const FOREVER = Number.POSITIVE_INFINITY;

/** A device belongs while one of its spans covers the sequence: from its entry on, until it left (exclusive). */
export type Span = { from: number; until: number };

export type Device = {
  id: string;
  key: Uint8Array;
  member: string;
  /** Ids of the devices that certified it, from the one that paired it up to one of the root's; empty: the root did. */
  via: readonly string[];
  /** It fell for good. */
  revoked: boolean;
  spans: readonly Span[];
};

export type Member = {
  id: string;
  role: Role;
  root: Uint8Array;
  /** X25519 public key, of the newest seed. */
  sealing: Uint8Array;
  seed: number;
  /** Those of all seeds: what was sealed under an old one stays readable. */
  sealings: ReadonlyMap<number, Uint8Array>;
  /** Ids of devices that may never speak for this member again, those too that were never here. */
  revoked: ReadonlySet<string>;
  /** Sequence of the join. */
  joined: number;
  /** Who made the invite; null for the owner. */
  invitedBy: string | null;
  /** Code of that invite. */
  invite: string | null;
  active: boolean;
  /** The identity that it has gone over into. */
  became: string | null;
};

export type Invite = {
  code: string;
  key: Uint8Array;
  role: Role;
  expiresAt: number;
  uses: number;
  used: number;
  /** Revoked, or cut off by a removal. */
  void: boolean;
  by: string;
  /** Unattended: the key of that epoch, under the link's secret. */
  wrapped: { epoch: number; box: Uint8Array } | null;
  /** Made for an e-mail address. */
  mail: boolean;
  /** The device that signed it. */
  dev: string;
};

/** One member's copy of an epoch's key: which of the member's keys it is sealed to, who sealed it, with which key. */
export type SealedKey = { toSeed: number; by: string; bySealing: Uint8Array; box: Uint8Array };

export type Epoch = {
  number: number;
  commitment: Uint8Array;
  previous: Uint8Array;
  sealed: ReadonlyMap<string, SealedKey>;
};

export type ChainState = {
  workspace: string;
  head: ChainHead;
  owner: string;
  /** In chain order. */
  members: ReadonlyMap<string, Member>;
  devices: ReadonlyMap<string, Device>;
  invites: ReadonlyMap<string, Invite>;
  epochs: readonly Epoch[];
  /** To whom the owner has offered the workspace, by which device. */
  offer: { member: string; dev: string } | null;
  /** Somebody or something left since the current epoch began: nothing may be sealed before the next one. */
  stale: boolean;
};

/** The device that may speak for `from` at `sequence`. @throws MeshError unknown_device, wrong_author */
export function authorAt(state: ChainState, from: string, dev: string, sequence: number): Device {
  const device = state.devices.get(dev);
  if (!device || !isInAt(device, sequence)) {
    throw new MeshError(
      "unknown_device",
      "The record is signed by a device that wasn't in the workspace.",
      "Drop it.",
    );
  }
  if (device.member !== from) {
    throw new MeshError(
      "wrong_author",
      "The record names another author than its device belongs to.",
      "Drop it.",
    );
  }
  return device;
}

export function isInAt({ spans }: Device, sequence: number): boolean {
  return spans.some(({ from, until }) => sequence >= from && sequence < until);
}

/** Whether the device is in the workspace today. */
export function isIn(device: Device | undefined): boolean {
  return device?.spans.some(({ until }) => until === FOREVER) ?? false;
}

export function activeMember(state: ChainState, id: string): Member | undefined {
  const member = state.members.get(id);
  return member?.active ? member : undefined;
}

/** Who speaks for this identity today: itself, or the one that it has become. */
export function heirOf(state: ChainState, id: string): string {
  const next = state.members.get(id)?.became;
  return next ? heirOf(state, next) : id;
}

/** All who are one person today: the identity itself, and those that have become it. */
export function identitiesOf(state: ChainState, id: string): string[] {
  return [...state.members.keys()].filter((one) => one !== id && heirOf(state, one) === id).concat(id);
}

/** Whether the role carries the workspace key: all but guests. */
export function holdsKey(member: Member): boolean {
  return member.active && member.role !== "guest";
}

export function inviteState(invite: Invite, now: number): "open" | "used up" | "expired" | "revoked" {
  if (invite.void) return "revoked";
  if (invite.used >= invite.uses) return "used up";
  return invite.expiresAt <= now ? "expired" : "open";
}

export function mayInvite(role: Role): boolean {
  return role === "owner" || role === "admin";
}

export function currentEpoch(state: ChainState): Epoch | undefined {
  return state.epochs.at(-1);
}

/** Members who hold the workspace key by right but were not sealed the current one yet. */
export function awaitingKey(state: ChainState): Member[] {
  const epoch = currentEpoch(state);
  return [...state.members.values()].filter((member) => holdsKey(member) && !epoch?.sealed.has(member.id));
}
