/** Which records a replica holds, and where: appends by their identity, puts by their cell, all by their sequence. */
import { MeshError } from "#protocol/errors.ts";
import type { Database, SqlRow } from "#protocol/ports.ts";
import { type Header, isGuard, type Put, recordHash, type SealedRecord } from "#protocol/record.ts";
import type { RecordStatus, StoredCell } from "./replica.ts";

/** new: wasn't here · placed: was here without a sequence · known: changes nothing · outdated: its cell holds a later put */
export type Keeping = "new" | "placed" | "known" | "outdated";

/** Keeps a verified record, inside the caller's transaction. @throws MeshError rolled_back for a put of a lower version */
export function keepRecord(
  db: Database,
  { seq, at, record, status }: { seq: number; at: number; record: SealedRecord; status: RecordStatus },
): Keeping {
  const { header } = record;
  const { id, from: sender, dev, to: label, n, put } = header;
  const known = db.sql("SELECT position, seq FROM records WHERE sender = ? AND id = ?").get(sender, id);
  if (known && known.seq !== null) return "known";
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
    if (held && held.seq !== null && Number(held.seq) > seq) return "outdated";
    if (held && Number(held.version) >= put.version && held.seq !== null) throw rolledBack();
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
    .sql(
      "SELECT position, seq, version FROM records WHERE label = ? AND key = ? AND owner = ? AND key IS NOT NULL",
    )
    .get(label, key, own ? sender : "");
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

function rolledBack(): MeshError {
  return new MeshError(
    "rolled_back",
    "The broker shows an older value of something as a newer one.",
    "Don't trust this broker.",
  );
}
