/**
 * A workspace's database. Its truth: chain, records (verbatim bytes), outbox (plaintext until it is sent), counters.
 * Everything else in it is an index that features can drop and rebuild.
 */
import type { Database, Migration, SqlRow } from "#protocol/ports.ts";
import type { MeshEvent } from "#protocol/registry.ts";

/** applied: in the indexes · sealed: no key for it yet · unknown: a kind of a later version. */
export type RecordStatus = "applied" | "sealed" | "unknown";

export type StoredRecord = { seq: number; at: number; status: RecordStatus; bytes: Uint8Array };
export type OutboxRow = {
  position: number;
  id: string;
  label: string;
  n: number;
  event: MeshEvent;
  createdAt: number;
};
export type ChainRow = { height: number; seq: number | null; bytes: Uint8Array };

const MIGRATIONS: readonly Migration[] = [
  {
    name: "0001-replica",
    sql: `
      CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      CREATE TABLE chain (height INTEGER PRIMARY KEY, seq INTEGER, bytes BLOB NOT NULL) STRICT;
      CREATE TABLE records (
        seq INTEGER PRIMARY KEY, sender TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
        label TEXT NOT NULL, status TEXT NOT NULL, bytes BLOB NOT NULL,
        UNIQUE (sender, id)
      ) STRICT;
      CREATE INDEX records_waiting ON records (seq) WHERE status <> 'applied';
      CREATE INDEX records_by_label ON records (label, seq);
      CREATE TABLE outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, label TEXT NOT NULL,
        n INTEGER NOT NULL, event TEXT NOT NULL, created_at INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE counters (label TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
      CREATE TABLE labels (
        label TEXT PRIMARY KEY, name TEXT NOT NULL, since INTEGER NOT NULL, complete INTEGER NOT NULL,
        joined INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE reads (id TEXT PRIMARY KEY) STRICT;
      CREATE TABLE receipts_due (
        id TEXT NOT NULL, member TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, detail TEXT,
        sent INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (id, state)
      ) STRICT;
      CREATE TABLE sessions_seen (
        member TEXT NOT NULL, name TEXT NOT NULL, seen_at INTEGER NOT NULL, PRIMARY KEY (member, name)
      ) STRICT;
      CREATE TABLE refusals (seq INTEGER PRIMARY KEY, code TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    `,
  },
];

export type Replica = ReturnType<typeof openReplica>;

export function openReplica(
  openDatabase: (name: string, migrations: readonly Migration[]) => Database,
  workspace: string,
) {
  const db = openDatabase(workspace, MIGRATIONS);

  const meta = (key: string): string | null => {
    const row = db.sql("SELECT value FROM meta WHERE key = ?").get(key);
    return row ? String(row.value) : null;
  };
  const setMeta = (key: string, value: string) => {
    db.sql(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    ).run(key, value);
  };

  return {
    db,
    meta,
    setMeta,
    /** Everything the broker had for me up to here is applied. Belongs to the log `logId`. */
    cursor: () => Number(meta("cursor") ?? 0),
    setCursor: (cursor: number) => setMeta("cursor", String(cursor)),
    logId: () => meta("logId"),

    chain: (): ChainRow[] =>
      db
        .sql("SELECT height, seq, bytes FROM chain ORDER BY height")
        .all()
        .map((row) => ({
          height: Number(row.height),
          seq: row.seq === null ? null : Number(row.seq),
          bytes: blob(row),
        })),
    putChain(height: number, seq: number | null, bytes: Uint8Array) {
      db.sql(
        "INSERT INTO chain (height, seq, bytes) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq",
      ).run(height, seq, bytes);
    },

    /** False when the record is there already. */
    putRecord(record: StoredRecord & { sender: string; id: string; label: string }): boolean {
      const { seq, sender, id, at, label, status, bytes } = record;
      return (
        db
          .sql(
            `INSERT INTO records (seq, sender, id, at, label, status, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING`,
          )
          .run(seq, sender, id, at, label, status, bytes).changes > 0
      );
    },
    setStatus: (seq: number, status: RecordStatus) =>
      db.sql("UPDATE records SET status = ? WHERE seq = ?").run(status, seq),
    /** Records above `after` in order, a page at a time; `waiting` for those not applied yet. */
    records: (after: number, limit: number, which: "applied" | "waiting"): StoredRecord[] =>
      db
        .sql(
          `SELECT seq, at, status, bytes FROM records
           WHERE seq > ? AND status ${which === "applied" ? "=" : "<>"} 'applied' ORDER BY seq LIMIT ?`,
        )
        .all(after, limit)
        .map((row) => ({
          seq: Number(row.seq),
          at: Number(row.at),
          status: toStatus(row.status),
          bytes: blob(row),
        })),

    /** Takes the next running number of the label with it. */
    enqueue(id: string, label: string, event: MeshEvent, createdAt: number): void {
      const next = db
        .sql("INSERT INTO counters (label, n) VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n")
        .get(label);
      db.sql("INSERT INTO outbox (id, label, n, event, created_at) VALUES (?, ?, ?, ?, ?)").run(
        id,
        label,
        Number(next?.n),
        JSON.stringify(event),
        createdAt,
      );
    },
    outbox: (after: number, limit: number): OutboxRow[] =>
      db
        .sql("SELECT * FROM outbox WHERE position > ? ORDER BY position LIMIT ?")
        .all(after, limit)
        .map(outboxRow),
    outboxRow: (id: string): OutboxRow | null => {
      const row = db.sql("SELECT * FROM outbox WHERE id = ?").get(id);
      return row ? outboxRow(row) : null;
    },
    outboxSize: (): number => Number(db.sql("SELECT count(*) AS size FROM outbox").get()?.size ?? 0),
    dequeue: (id: string): boolean => db.sql("DELETE FROM outbox WHERE id = ?").run(id).changes > 0,
    /** Puts another event in a row's place, under its number. */
    replaceOutbox: (id: string, newId: string, event: MeshEvent) =>
      db.sql("UPDATE outbox SET id = ?, event = ? WHERE id = ?").run(newId, JSON.stringify(event), id),

    refuse: (seq: number, code: string, at: number) =>
      db.sql("INSERT OR REPLACE INTO refusals (seq, code, at) VALUES (?, ?, ?)").run(seq, code, at),
  };
}

function outboxRow(row: SqlRow): OutboxRow {
  return {
    position: Number(row.position),
    id: String(row.id),
    label: String(row.label),
    n: Number(row.n),
    // Written by `enqueue` from a typed event.
    event: JSON.parse(String(row.event)) as MeshEvent,
    createdAt: Number(row.created_at),
  };
}

function toStatus(value: unknown): RecordStatus {
  return value === "sealed" || value === "unknown" ? value : "applied";
}

function blob(row: SqlRow): Uint8Array {
  if (!(row.bytes instanceof Uint8Array)) throw new Error("bytes is a blob by its schema");
  return row.bytes;
}
