/** What a membership chain says, as a value: who belongs, with which devices, under which epoch. */
import { MeshError } from "../errors.ts";
import type { ChainHead, Role } from "../schema.ts";

/** A device belongs while one of its spans covers the sequence: from its entry on, until it left (exclusive). */
export type Span = { from: number; until: number };

export type Device = { id: string; key: Uint8Array; member: string; spans: readonly Span[] };

export type Member = {
  id: string;
  role: Role;
  root: Uint8Array;
  /** X25519 public key. */
  sealing: Uint8Array;
  seed: number;
  /** Sequence of the join. */
  joined: number;
  /** Who made the invite; null for the owner. */
  invitedBy: string | null;
  /** Code of that invite. */
  invite: string | null;
  active: boolean;
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
};

/** One member's copy of an epoch's key, and who sealed it. */
export type SealedKey = { by: string; bySealing: Uint8Array; box: Uint8Array };

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
  /** Somebody left since the current epoch began: nothing may be sealed before the next one. */
  stale: boolean;
};

/** The device that may speak for `from` at `sequence`. @throws MeshError unknown_device, wrong_author */
export function authorAt(state: ChainState, from: string, dev: string, sequence: number): Device {
  const device = state.devices.get(dev);
  if (!device?.spans.some((span) => sequence >= span.from && sequence < span.until)) {
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

export function activeMember(state: ChainState, id: string): Member | undefined {
  const member = state.members.get(id);
  return member?.active ? member : undefined;
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
