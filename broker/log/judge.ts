/** Decides one record: stored at the next sequence or refused. Touches no storage. */
import { admit } from "#protocol/chain/admit.ts";
import { decodeEntry } from "#protocol/chain/entries.ts";
import { authorAt, type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { CHAIN, recordIdTime } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Curves } from "#protocol/ports.ts";
import { generationOf, type Header, isGuard, type Put, type SealedRecord } from "#protocol/record.ts";
import type { Cell } from "../store/store.ts";

/** What a connection may do: speak as a member, send its own join or device entry, or send the genesis of an unknown workspace. */
export type Standing = "member" | "joining" | "founding";

export type Author = {
  member: string;
  dev: string;
  standing: Standing;
  /** A record refused for now: what this connection sends after it is dropped until it returns, to keep the order. */
  halted: string | null;
};

/** A workspace's log as it will be once the batch under judgement is committed. */
export type Tip = { workspace: string; head: number; chain: ChainState | null; guards: Guards };

/** Label → generation of the key that its guard names. */
export type Guards = ReadonlyMap<string, number>;

/** `cell`: what a put would replace; `isFresh`: of a first guard, whether nothing was ever sent to its label. Answers the tip after the record. @throws MeshError with the reason for a refusal */
export async function judge(
  curves: Curves,
  tip: Tip,
  author: Author,
  record: SealedRecord,
  { cell, isFresh }: { cell: Cell | null; isFresh: boolean },
  now: number,
): Promise<Tip> {
  const { header } = record;
  if (!maySend(author, record)) {
    throw new MeshError(
      "wrong_author",
      "The record names another author than this connection's.",
      "Send your own records.",
    );
  }
  if (recordIdTime(header.id) < now - LIMITS.idDays * 86_400_000) {
    throw new MeshError(
      "too_old",
      `The record's id is older than ${LIMITS.idDays} days.`,
      "Send it again under a new id.",
    );
  }
  const seq = tip.head + 1;
  if (header.to === CHAIN) {
    requireStanding(author, record);
    const chain = await admit(curves, tip.workspace, tip.chain, record, seq);
    // Who comes in now comes by an invite that holds now; a member may bring back a join that was taken in before.
    if (author.standing === "joining") requireUnexpired(tip.chain, record, now);
    return { ...tip, head: seq, chain };
  }
  if (author.standing !== "member" || !tip.chain) {
    throw new MeshError("not_a_member", "Only members send here.", "Join the workspace first.");
  }
  authorAt(tip.chain, header.from, header.dev, seq);
  if (header.alg === "none")
    throw new MeshError("bad_record", "Only chain entries are plaintext.", "Seal it.");
  if (tip.chain.stale || header.epoch !== currentEpoch(tip.chain)?.number) {
    throw new MeshError(
      "stale_epoch",
      "The workspace's key has moved on.",
      "Seal the record anew under the current epoch.",
    );
  }
  const guards = guarded(tip.guards, header, isFresh);
  if (header.put) {
    requireOwnCell(tip.chain, header);
    requireExpected(header.put, cell, now);
  }
  return { ...tip, head: seq, guards };
}

/**
 * A label that has a guard takes only what is sealed under the generation that the guard names, so nothing reaches a key
 * that somebody was excluded from meanwhile. The guard itself goes on by one generation at most, and never back.
 */
function guarded(guards: Guards, header: Header, isFresh: boolean): Guards {
  const guard = guards.get(header.to);
  const generation = generationOf(header);
  if (!isGuard(header)) {
    if (generation === (guard ?? null)) return guards;
    if (guard === undefined)
      throw new MeshError("bad_record", "The label has no generations.", "Send it without one.");
    throw new MeshError(
      "stale_epoch",
      "The label's key has moved on.",
      "Seal the record anew under the current generation.",
    );
  }
  const least = guard ?? 0;
  const most = guard === undefined ? 0 : guard + 1;
  const isNext = generation !== null && generation >= least && generation <= most;
  if (!isNext || header.put?.ttl !== null || header.put.tombstone) {
    throw new MeshError("bad_record", "The label's guard can't go on like that.", "Put the next generation.");
  }
  if (guard === undefined && !isFresh) {
    throw new MeshError("not_allowed", "The label is in use without a guard.", "Take another label.");
  }
  return guard === generation ? guards : new Map(guards).set(header.to, generation);
}

/** What hands on keys stands outside of a connection's order: it must get past the record that waits for it. */
export function standsAside({ to, alg, ...header }: Header): boolean {
  return to === CHAIN || isGuard({ ...header, to }) || (alg === "pair" && header.put !== undefined);
}

/** Its own records; as a member also others' chain entries, which prove themselves: so a log that lost some is made whole. */
function maySend(author: Author, { header }: SealedRecord): boolean {
  if (header.from === author.member && header.dev === author.dev) return true;
  return header.to === CHAIN && author.standing === "member";
}

/** What lies under another member's label is theirs to read: only cells of the sender's own may be there. */
function requireOwnCell(chain: ChainState, { put, to, from }: Header): void {
  if (put?.own || to === from || !chain.members.has(to)) return;
  throw new MeshError(
    "not_allowed",
    "Another member's label has no shared values.",
    "Put it under your own.",
  );
}

/** @throws MeshError conflict: every put is a compare-and-set, judged on this clock */
function requireExpected(put: Put, cell: Cell | null, now: number): void {
  const live = cell && isLive(cell, now) ? cell.hash : null;
  if (put.expect === live && put.version > (cell?.version ?? 0)) return;
  throw new MeshError("conflict", "The value has changed meanwhile.", "Look at it again.");
}

export function isLive({ tombstone, expiresAt }: Cell, now: number): boolean {
  return !tombstone && (expiresAt === null || expiresAt > now);
}

function requireStanding(author: Author, record: SealedRecord): void {
  if (author.standing === "member") return;
  const { type } = decodeEntry(record.body);
  const allowed = author.standing === "joining" ? ["join", "device"] : ["genesis"];
  if (!allowed.includes(type)) {
    throw new MeshError("not_a_member", "This connection may only join.", "Connect again as a member.");
  }
}

function requireUnexpired(before: ChainState | null, record: SealedRecord, now: number): void {
  const entry = decodeEntry(record.body);
  if (entry.type !== "join") return;
  const invite = before?.invites.get(entry.code);
  if (invite && invite.expiresAt <= now) {
    throw new MeshError("invite_expired", "This invite has expired.", "Ask for a new invite link.");
  }
}
