/** What the rules of all entries have in common. */
import { MeshError } from "../errors.ts";
import type { Curves } from "../ports.ts";
import { recordSignatureInput, type SealedRecord } from "../record.ts";
import type { ChainEntry } from "./entries.ts";
import { activeMember, authorAt, type ChainState, type Member } from "./state.ts";

export type Entry<T extends ChainEntry["type"]> = Extract<ChainEntry, { type: T }>;

/** What every entry's rule is given. */
export type Case = { curves: Curves; workspace: string; record: SealedRecord; sequence: number };

export const FOREVER = Number.POSITIVE_INFINITY;

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
