/**
 * Entries of the membership chain: plaintext bodies of records on the label `chain`. The header's `head` is the
 * entry before, so an entry's place and its author need no field of their own.
 */
import { z } from "zod";
import { fromBase64url, utf8 } from "../bytes.ts";
import { idOf } from "../derive.ts";
import { signatureInput } from "../hash.ts";
import { strictJson } from "../json.ts";
import { bytes, count, id, inviteCode, role, time } from "../schema.ts";

/** A device's public key and the root's signature over it. */
export const device = z.strictObject({ key: bytes, certificate: bytes });

/** The first entry, by the owner. The workspace's id is the hash of its nonce, root key and time. */
export const genesis = z.strictObject({
  type: z.literal("genesis"),
  nonce: bytes,
  root: bytes,
  created: time,
  sealing: bytes,
  seed: count,
  device,
});

/** A further device of somebody who is in already. */
export const deviceEntry = z.strictObject({ type: z.literal("device"), device });

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
  seed: count,
  device,
  /** The invite key's signature over workspace, code, user id, root, sealing key. */
  proof: bytes,
});

/** All of the member's devices go, and the epoch is stale. */
export /** The invite lets nobody in any more. */
const revoke = z.strictObject({ type: z.literal("revoke"), code: inviteCode });

const leave = z.strictObject({ type: z.literal("leave") });

const remove = z.strictObject({ type: z.literal("remove"), member: id });

const roleEntry = z.strictObject({
  type: z.literal("role"),
  member: id,
  role: role.exclude(["owner"]),
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
  invite,
  revoke,
  join,
  leave,
  remove,
  roleEntry,
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

/** What a root key signs to certify one of its devices. */
export function certificateInput(user: string, deviceKey: Uint8Array): Uint8Array {
  return signatureInput("device", fromBase64url(user), deviceKey);
}

/** What the invite key signs for a joiner. */
export function joinProofInput(
  workspace: string,
  join: { code: string; user: string; root: Uint8Array; sealing: Uint8Array },
): Uint8Array {
  return signatureInput(
    "join",
    fromBase64url(workspace),
    utf8(join.code),
    fromBase64url(join.user),
    join.root,
    join.sealing,
  );
}
