/** Decides one record: stored at the next sequence, known already, refused, or dropped. Touches no storage. */
import { admit } from "#protocol/chain/admit.ts";
import { decodeEntry } from "#protocol/chain/entries.ts";
import { authorAt, type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { CHAIN, recordIdTime } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Curves } from "#protocol/ports.ts";
import type { SealedRecord } from "#protocol/record.ts";

/** What a connection may do: speak as a member, send its own join, or send the genesis of an unknown workspace. */
export type Standing = "member" | "joining" | "founding";

export type Author = {
  member: string;
  dev: string;
  standing: Standing;
  /** A record refused for now: what this connection sends after it is dropped until it returns, to keep the order. */
  halted: string | null;
};

/** A workspace's log as it will be once the batch under judgement is committed. */
export type Tip = { workspace: string; head: number; chain: ChainState | null };

/** @throws MeshError with the reason for a refusal. Answers the tip after the record. */
export async function judge(
  curves: Curves,
  tip: Tip,
  author: Author,
  record: SealedRecord,
  now: number,
): Promise<Tip> {
  const { header } = record;
  if (header.from !== author.member || header.dev !== author.dev) {
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
    requireUnexpired(tip.chain, record, now);
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
  return { ...tip, head: seq };
}

function requireStanding(author: Author, record: SealedRecord): void {
  if (author.standing === "member") return;
  const { type } = decodeEntry(record.body);
  if (type !== (author.standing === "joining" ? "join" : "genesis")) {
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
