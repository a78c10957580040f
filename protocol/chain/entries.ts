/**
 * Entries of the membership chain: plaintext bodies of records on the label `chain`. The header's `head` is the
 * entry before, so an entry's place and its author need no field of their own.
 */
import { z } from "zod";
import { fromBase64url, utf8 } from "../bytes.ts";
import { certifiedDevice } from "../certificate.ts";
import { idOf } from "../derive.ts";
import { signatureInput } from "../hash.ts";
import { strictJson } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { bytes, count, id, inviteCode, role, seedNumber, time } from "../schema.ts";

/** The first entry, by the owner. The workspace's id is the hash of its nonce, root key and time. */
export const genesis = z.strictObject({
  type: z.literal("genesis"),
  nonce: bytes,
  root: bytes,
  created: time,
  sealing: bytes,
  seed: seedNumber,
  device: certifiedDevice,
});

/** A further device of somebody who is in already. */
export const deviceEntry = z.strictObject({ type: z.literal("device"), device: certifiedDevice });

/** Devices of the author's fall for good, and with them all that they had paired. The epoch is stale. */
const deviceRevoke = z.strictObject({
  type: z.literal("device-revoke"),
  /** Those that aren't in this workspace may not come into it any more. */
  devices: z.array(id).min(1).max(LIMITS.revokedDevices),
  /** The root's signature over them, for all workspaces. */
  proof: bytes,
});

/** The author's newer seed, with the sealing key that it gives. The epoch is stale. */
const seed = z.strictObject({
  type: z.literal("seed"),
  number: seedNumber,
  sealing: bytes,
  /** The root's signature over both, in this workspace. */
  proof: bytes,
});

/** By an owner or an admin. */
export const invite = z.strictObject({
  type: z.literal("invite"),
  code: inviteCode,
  /** Public half of the key that the link's secret gives. */
  key: bytes,
  role: role.exclude(["owner"]),
  expiresAt: time,
  uses: z.int().min(1).max(10_000),
  /** Unattended: the epoch's key, wrapped under a key of the link's secret, so that nobody need be online. For one use. */
  wrapped: bytes.optional(),
  /** By e-mail: whoever has the code may ask to be let in, and the maker approves. For one use. */
  mail: z.literal(true).optional(),
});

/** By the newcomer, whose user id is the header's `from`. */
export const join = z.strictObject({
  type: z.literal("join"),
  code: inviteCode,
  root: bytes,
  sealing: bytes,
  seed: seedNumber,
  device: certifiedDevice,
  /** The invite key's signature over workspace, code, user id, root, sealing key. */
  proof: bytes,
});

/** The invite lets nobody in any more. */
const revoke = z.strictObject({ type: z.literal("revoke"), code: inviteCode });

/** All of the member's devices go, and the epoch is stale. */
const leave = z.strictObject({ type: z.literal("leave") });

const remove = z.strictObject({ type: z.literal("remove"), member: id });

const roleEntry = z.strictObject({
  type: z.literal("role"),
  member: id,
  role: role.exclude(["owner"]),
});

/** By the owner: who may take the workspace over. Null takes the offer back. */
const offer = z.strictObject({ type: z.literal("offer"), member: id.nullable() });

/** By whom it was offered to: the owner from now on; the former one is an admin. */
const accept = z.strictObject({ type: z.literal("accept") });

/** The author goes over into another identity, which takes its role and place. The epoch is stale. */
const migrate = z.strictObject({
  type: z.literal("migrate"),
  /** The other's. */
  root: bytes,
  sealing: bytes,
  seed: seedNumber,
  device: certifiedDevice,
  /** The author's root's signature over who becomes whom, and the other root's. */
  consent: bytes,
  proof: bytes,
});

/** A new epoch, or the current one sealed to members who joined since. */
export const epoch = z.strictObject({
  type: z.literal("epoch"),
  number: count,
  commitment: bytes,
  /** Member id → the workspace key sealed to that member. */
  sealed: z.record(id, bytes),
  /** The key of the epoch before, sealed under this one; empty for epoch 0 and where only `sealed` is added. */
  previous: bytes,
});

export const chainEntry = z.discriminatedUnion("type", [
  genesis,
  deviceEntry,
  deviceRevoke,
  seed,
  invite,
  revoke,
  join,
  leave,
  remove,
  roleEntry,
  offer,
  accept,
  migrate,
  epoch,
]);

export type ChainEntry = z.infer<typeof chainEntry>;
export type Genesis = z.infer<typeof genesis>;
export type JoinEntry = z.infer<typeof join>;
export type EpochEntry = z.infer<typeof epoch>;

const json = strictJson<ChainEntry>(chainEntry, "chain_invalid", "chain entry");

export const encodeEntry = json.encode;
export const decodeEntry = json.decode;

/** The workspace id commits to its owner: it is the hash of the genesis's nonce, root key and time. */
export function workspaceId(genesis: Pick<Genesis, "nonce" | "root" | "created">): string {
  const { nonce, root, created } = genesis;
  return idOf(signatureInput("workspace", fromBase64url(nonce), fromBase64url(root), utf8(String(created))));
}
