/** Which records a replica holds, and where: appends by their identity, puts by their cell, all by their sequence. */
import { MeshError } from "#protocol/errors.ts";
import type { Database, SqlRow } from "#protocol/ports.ts";
import { type Header, isGuard, type Put, recordHash, type SealedRecord } from "#protocol/record.ts";
import type { RecordStatus, StoredCell } from "./replica.ts";

/** new: wasn't here · placed: was here without a sequence · known: changes nothing · outdated: its cell holds a later put */
export type Keeping = "new" | "placed" | "known" | "outdated";

/** Keeps a verified record, inside the caller's transaction. @throws MeshError replayed, rolled_back, value_forked */
export function keepRecord(
  db: Database,
  { seq, at, record, status }: { seq: number; at: number; record: SealedRecord; status: RecordStatus },
): Keeping {
  const { header } = record;
  const { id, from: sender, dev, to: label, n, put } = header;
  const known = db.sql("SELECT position, seq FROM records WHERE sender = ? AND id = ?").get(sender, id);
  if (known && known.seq !== null) {
    if (Number(known.seq) !== seq) throw replayed();
    return "known";
  }
  if (known) {
    db.sql("UPDATE records SET seq = ?, at = ?, bytes = ?, status = ? WHERE position = ?").run(
      seq,
      at,
      record.bytes,
      status,
      Number(known.position),
    );
    if (put) setCell(db, Number(known.position), { ...header, put }, record.bytes, at);
    return "placed";
  }
  if (put && !isGuard(header)) {
    const held = heldIn(db, label, put, sender);
    if (held && held.seq !== null && comesBefore(put, seq, held)) return "outdated";
    if (held) db.sql("DELETE FROM records WHERE position = ?").run(Number(held.position));
  }
  const kept = db
    .sql(
      `INSERT INTO records (seq, sender, dev, id, at, label, n, status, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       RETURNING position`,
    )
    .get(seq, sender, dev, id, at, label, n, status, record.bytes);
  if (put) setCell(db, Number(kept?.position), { ...header, put }, record.bytes, at);
  return "new";
}

/** Guards stay, each in a cell of its own: who may say what in their label is judged by all of them. */
function setCell(
  db: Database,
  position: number,
  header: Pick<Header, "from" | "to"> & { put: Put },
  bytes: Uint8Array,
  at: number,
) {
  const { key, own, version, ttl, tombstone } = header.put;
  const hash = recordHash(bytes);
  db.sql(
    "UPDATE records SET key = ?, owner = ?, version = ?, hash = ?, expires_at = ?, tombstone = ? WHERE position = ?",
  ).run(
    isGuard(header) ? `${key}/${hash}` : key,
    own ? header.from : "",
    version,
    hash,
    ttl === null ? null : at + ttl,
    Number(tombstone),
    position,
  );
}

function heldIn(db: Database, label: string, { key, own }: Put, sender: string): SqlRow | undefined {
  return db
    .sql("SELECT * FROM records WHERE label = ? AND key = ? AND owner = ? AND key IS NOT NULL")
    .get(label, key, own ? sender : "");
}

/** Where the value stands that the cell was taken in with last; 0 for none. */
export function cellSequence(db: Database, label: string, key: string, owner: string): number {
  const row = db
    .sql("SELECT seq FROM records WHERE label = ? AND key = ? AND owner = ? AND key IS NOT NULL")
    .get(label, key, owner);
  return Number(row?.seq ?? 0);
}

/** What a cell was taken in with last, whether it has expired or not. */
export function storedCell(db: Database, label: string, key: string, owner: string): StoredCell | null {
  const row = db
    .sql(
      `SELECT version, hash, expires_at, tombstone FROM records
       WHERE label = ? AND key = ? AND owner = ? AND key IS NOT NULL`,
    )
    .get(label, key, owner);
  if (!row) return null;
  return {
    version: Number(row.version),
    hash: String(row.hash),
    expiresAt: row.expires_at === null ? null : Number(row.expires_at),
    tombstone: row.tombstone === 1,
  };
}

/** In a cell versions rise with their places. @throws MeshError where this one doesn't fit to what is held */
function comesBefore(put: Put, seq: number, held: SqlRow): boolean {
  const isEarlier = seq < Number(held.seq);
  const version = Number(held.version);
  if (put.version === version || (isEarlier && put.version > version)) throw forked();
  if (!isEarlier && put.version < version) throw rolledBack();
  if (!isEarlier && !replaces(put, held)) throw forked();
  return isEarlier;
}

/**
 * Whether the next value of a cell replaces the one that is held. Whoever put it was shown another one else: two of the same
 * version, or a value that was free for one and taken for another. What can expire may have been free.
 */
function replaces(put: Put, held: SqlRow): boolean {
  if (put.version !== Number(held.version) + 1 || put.expect === held.hash) return true;
  return put.expect === null && (held.tombstone === 1 || held.expires_at !== null);
}

function forked(): MeshError {
  return new MeshError(
    "value_forked",
    "The broker has shown another value than we have to whoever replaced it.",
    "Don't trust this broker.",
  );
}

export function replayed(): MeshError {
  return new MeshError(
    "replayed",
    "The broker shows a record a second time, at another place.",
    "Don't trust this broker.",
  );
}

function rolledBack(): MeshError {
  return new MeshError(
    "rolled_back",
    "The broker shows an older value of something as a newer one.",
    "Don't trust this broker.",
  );
}
