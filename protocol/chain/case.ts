/** What the rules of all entries have in common. */
import { concat, fromBase64url } from "../bytes.ts";
import { MeshError } from "../errors.ts";
import type { Curves } from "../ports.ts";
import { recordSignatureInput, type SealedRecord } from "../record.ts";
import type { ChainEntry } from "./entries.ts";
import { activeMember, authorAt, type ChainState, type Member } from "./state.ts";

export type Entry<T extends ChainEntry["type"]> = Extract<ChainEntry, { type: T }>;

/** What every entry's rule is given. */
export type Case = { curves: Curves; workspace: string; record: SealedRecord; sequence: number };

/** For entries by members: the author as the chain knows it, once its signature holds. */
export async function signedByMember(at: Case, state: ChainState): Promise<Member> {
  const { header } = at.record;
  const device = authorAt(state, header.from, header.dev, at.sequence);
  await requireRecordSignature(at, device.key);
  const author = activeMember(state, header.from);
  if (!author) throw notAllowed("its author is not a member");
  return author;
}

export async function requireRecordSignature(
  { curves, workspace, record }: Case,
  key: Uint8Array,
): Promise<void> {
  const input = recordSignatureInput(workspace, record.headerBytes, record.body);
  if (!(await curves.verify(key, input, record.signature))) {
    throw new MeshError("bad_signature", "The chain entry's signature doesn't hold.", "Drop it.");
  }
}

/** For what no device may say by itself. */
export async function requireRootSignature(
  { curves }: Case,
  root: Uint8Array,
  input: Uint8Array,
  signature: string,
): Promise<void> {
  if (await curves.verify(root, input, fromBase64url(signature))) return;
  throw new MeshError("bad_signature", "The root key hasn't signed this.", "Drop it.");
}

export function key32(text: string): Uint8Array {
  const key = fromBase64url(text);
  if (key.length !== 32) throw invalid("a key has 32 bytes");
  return concat(key);
}

export function invalid(why: string): MeshError {
  return new MeshError(
    "chain_invalid",
    `The chain entry is refused: ${why}.`,
    "Update claudemesh on both sides.",
  );
}

export function notAllowed(why: string): MeshError {
  return new MeshError("not_allowed", `Not allowed: ${why}.`, "Ask the workspace's owner.");
}

/** The entry says what is so already. */
export function nothingLeft(what: string): MeshError {
  return new MeshError("chain_conflict", what, "Nothing is left to do.");
}
