/** Every key that is derived, in one place. What is random instead: root, seed, device key, workspace key, invite secret. */
import { fromBase64url, toBase64url, u32, u64, utf8 } from "./bytes.ts";
import { deriveKey, hmacSha256, sha256 } from "./hash.ts";
import { hsalsa20 } from "./hsalsa20.ts";
import { NAME_PATTERN } from "./ids.ts";
import type { Curves } from "./ports.ts";

/** Ids are the first 16 bytes of a hash, so nobody can hand out another's. */
export function idOf(bytes: Uint8Array): string {
  return toBase64url(sha256(bytes).subarray(0, 16));
}

/** X25519 secret of a member in one workspace: the same on each of the person's machines, nothing to copy. */
export function memberSealingSecret(
  seed: Uint8Array,
  user: string,
  workspace: string,
  seedNumber: number,
): Uint8Array {
  return deriveKey(seed, "member", [fromBase64url(workspace), u32(seedNumber)], {
    salt: fromBase64url(user),
  });
}

/** The key that two members share: X25519, then HSalsa20 as in NaCl's `crypto_box` (equal to its `beforenm`). */
export async function pairKey(
  curves: Curves,
  secret: Uint8Array,
  publicKey: Uint8Array,
): Promise<Uint8Array> {
  return hsalsa20(await curves.agree(secret, publicKey));
}

/** Names labels. From the first workspace key, so a label outlives epochs. */
export function labelsKey(workspaceKey0: Uint8Array): Uint8Array {
  return deriveKey(workspaceKey0, "labels");
}

/** The opaque key of a cell: its name, within its label. */
export function cellKey(key: Uint8Array, label: string, cellName: string): string {
  return toBase64url(hmacSha256(key, utf8(`cell:${label}:${cellName}`)).subarray(0, 16));
}

/** The opaque id under which the broker knows, say, a topic. */
export function labelId(key: Uint8Array, kind: "topic" | "group" | "private", labelName: string): string {
  return toBase64url(hmacSha256(key, utf8(`${kind}:${labelName}`)).subarray(0, 16));
}

/** `key`: a workspace key; of a private topic one of its own keys. */
export function labelContentKey(key: Uint8Array, label: string): Uint8Array {
  return deriveKey(key, "label", [utf8(label)]);
}

/** The opaque id of a private topic: only who holds its first key can name it. */
export function privateLabel(topicKey0: Uint8Array): string {
  return labelId(labelsKey(topicKey0), "private", "");
}

/** Names cells of one's own on a member's label: a member's devices derive the same, with or without the workspace key. */
export function ownCellsKey(seed: Uint8Array, user: string, workspace: string): Uint8Array {
  return deriveKey(seed, "own-cells", [fromBase64url(workspace)], { salt: fromBase64url(user) });
}

/** Wraps the topic keys that rest in a device's database. */
export function restingKey(seed: Uint8Array, user: string, workspace: string): Uint8Array {
  return deriveKey(seed, "resting", [fromBase64url(workspace)], { salt: fromBase64url(user) });
}

/** One key a record, bound to its header: a body can't be moved under another header. */
export function recordKey(contentKey: Uint8Array, workspace: string, headerBytes: Uint8Array): Uint8Array {
  return deriveKey(contentKey, "record", [fromBase64url(workspace), sha256(headerBytes)]);
}

/** What an epoch entry promises of its key, so that nobody can be sealed another one unnoticed. */
export function epochCommitment(workspaceKey: Uint8Array, workspace: string, epoch: number): Uint8Array {
  return deriveKey(workspaceKey, "epoch-commit", [fromBase64url(workspace), u32(epoch)]);
}

/** Wraps a workspace key for one member; `pair` is the key between who seals and who receives. */
export function epochWrapKey(pair: Uint8Array, workspace: string, epoch: number): Uint8Array {
  return deriveKey(pair, "epoch", [fromBase64url(workspace), u32(epoch)]);
}

/** Wraps the key of the epoch before under the new one: one key opens all history. */
export function previousWrapKey(workspaceKey: Uint8Array, workspace: string, epoch: number): Uint8Array {
  return deriveKey(workspaceKey, "previous", [fromBase64url(workspace), u32(epoch)]);
}

export function presenceKey(workspaceKey: Uint8Array, device: string, counter: number): Uint8Array {
  return deriveKey(workspaceKey, "presence", [fromBase64url(device), u64(counter)]);
}

/** One key a signal, bound to who says it to whom, and to its place in the sender's count. */
export function signalKey(contentKey: Uint8Array, workspace: string, claims: Uint8Array): Uint8Array {
  return deriveKey(contentKey, "signal", [fromBase64url(workspace), sha256(claims)]);
}

/** Ed25519 seed of the key that an invite's secret stands for. */
export function inviteSeed(secret: Uint8Array): Uint8Array {
  return deriveKey(secret, "invite");
}

/** Wraps a workspace key for whoever has an unattended invite's secret. */
export function inviteWrapKey(
  secret: Uint8Array,
  workspace: string,
  code: string,
  epoch: number,
): Uint8Array {
  return deriveKey(secret, "invite-wrap", [fromBase64url(workspace), utf8(code), u32(epoch)]);
}

/** Wraps an invite's secret for somebody who asked for it; `pair` is the key between who approves and who asked. */
export function inviteAnswerKey(pair: Uint8Array, workspace: string, code: string, user: string): Uint8Array {
  return deriveKey(pair, "invite-answer", [fromBase64url(workspace), utf8(code), fromBase64url(user)]);
}

/** A name's nearest legal form: lower case, foreign characters to "-". Empty where nothing is left. */
export function legalName(text: string): string {
  const legal = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "")
    .slice(0, 32)
    .replace(/-+$/, "");
  return NAME_PATTERN.test(legal) ? legal : "";
}
