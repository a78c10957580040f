/** What the broker answers to what was sent, held against what it shows. */
import { MeshError } from "#protocol/errors.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { SealedRecord } from "#protocol/record.ts";
import type { Context } from "../context.ts";
import { cellSequence } from "../replica/records.ts";
import { isFollowed, type OutboxRow } from "../replica/replica.ts";

const CHAIN_LIMIT_MS = 10_000;

/**
 * Whether what was acknowledged at `seq`, below the cursor, needn't come back: a put that was replaced since has no echo, nor
 * has what retention took while we were away; and what was refused here is named already.
 */
export function isGone({ greeting, cells, replica, me }: Context, row: OutboxRow, seq: number): boolean {
  const { label, put } = row;
  if (seq <= (greeting?.floor ?? 0) || replica.isRefused(seq)) return true;
  if (!put) return false;
  const isShown = put.own || label === EVERYONE || label === me || isFollowed(replica.db, label);
  const key = cells.keyOf(label, put.cell);
  if (!isShown || !key || put.ttlMs !== null) return true;
  return cellSequence(replica.db, label, key, put.own ? me : "") > seq;
}

/**
 * What is said to hold the cell of `ours` has to: the next value is counted from it, and who follows would refuse that.
 * @throws MeshError wrong_author, bad_signature, unknown_device, chain_…; timeout while its author's chain isn't here
 */
export async function requireHolder(
  context: Context,
  { label, put }: OutboxRow,
  ours: SealedRecord,
  { seq, record }: { seq: number; record: SealedRecord },
): Promise<void> {
  const { header } = record;
  const isCell =
    header.to === label && header.put?.key === ours.header.put?.key && header.put?.own === put?.own;
  if (!isCell || (put?.own && header.from !== context.me)) {
    throw new MeshError("wrong_author", "The broker shows another cell's value.", "Don't trust this broker.");
  }
  // Its author may know of entries that are only just on their way here.
  const isHere = () => (context.replica.cursor() >= seq ? true : null);
  const isAhead = context.chain.placed.hashes.length <= (header.head?.height ?? 0);
  if (isAhead) await context.changed.until(isHere, CHAIN_LIMIT_MS, "the chain of a value's author");
  const { state, hashes } = context.chain.placed;
  if (state) await context.sealer.verify(state, hashes, record, seq);
}
