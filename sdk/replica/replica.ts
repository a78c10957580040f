/**
 * A workspace's database. Its truth: chain, records (verbatim bytes), outbox (plaintext until it is sent), counters.
 * Everything else in it is an index that features can drop and rebuild.
 */
import type { Database, Migration, SqlRow } from "#protocol/ports.ts";
import type { MeshEvent } from "#protocol/registry.ts";

/**
 * applied: in the indexes · sealed: no key for it yet · unknown: a kind of a later version · barred: its author may not write to
 * me for now · refused: they may not, and were told so.
 */
const STATUSES = ["applied", "sealed", "unknown", "barred", "refused"] as const;
export type RecordStatus = (typeof STATUSES)[number];

/** `position`: in which order they came here. Null sequence: the broker's log lost it, or is another one now. */
export type StoredRecord = {
  position: number;
  seq: number | null;
  at: number;
  status: RecordStatus;
  bytes: Uint8Array;
};

/** A cell's value as it was taken in last; `expiresAt` in ms of the broker's clock, null: never. */
export type StoredCell = { version: number; hash: string; expiresAt: number | null; tombstone: boolean };

/** What is to be put where; `expect` any: replaces whatever is there. */
export type PutOrder = {
  /** Its name; or, of a record that is offered again, its key. */
  cell: { name: string } | { key: string };
  own: boolean;
  ttlMs: number | null;
  tombstone: boolean;
  expect: "any" | "free" | { hash: string };
};

export type OutboxRow = {
  position: number;
  id: string;
  label: string;
  /** 0 for a put. */
  n: number;
  put: PutOrder | null;
  event: MeshEvent;
  createdAt: number;
};
export type ChainRow = { height: number; seq: number | null; bytes: Uint8Array };

/** In the words of the index on what isn't applied. */
const WAITING = "status <> 'applied' AND status IN ('sealed', 'unknown')";

const MIGRATIONS: readonly Migration[] = [
  {
    name: "0001-replica",
    sql: `
      CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      CREATE TABLE chain (height INTEGER PRIMARY KEY, seq INTEGER, bytes BLOB NOT NULL) STRICT;
      CREATE TABLE records (
        position INTEGER PRIMARY KEY, seq INTEGER UNIQUE, sender TEXT NOT NULL, dev TEXT NOT NULL, id TEXT NOT NULL,
        at INTEGER NOT NULL, label TEXT NOT NULL, n INTEGER NOT NULL, status TEXT NOT NULL, bytes BLOB NOT NULL,
        -- Of a put; null in an append.
        key TEXT, owner TEXT, version INTEGER, hash TEXT, expires_at INTEGER, tombstone INTEGER,
        UNIQUE (sender, id)
      ) STRICT;
      CREATE INDEX records_waiting ON records (position) WHERE status <> 'applied';
      CREATE INDEX records_by_label ON records (label, seq);
      CREATE INDEX records_by_number ON records (label, dev, n) WHERE n > 0;
      CREATE UNIQUE INDEX records_by_cell ON records (label, key, owner) WHERE key IS NOT NULL;
      -- Sequences that retention took away before this device had asked for them.
      CREATE TABLE missed (after_seq INTEGER NOT NULL, floor INTEGER NOT NULL) STRICT;
      CREATE TABLE outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, label TEXT NOT NULL,
        n INTEGER NOT NULL, put TEXT, event TEXT NOT NULL, created_at INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE counters (label TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
      CREATE TABLE labels (
        label TEXT PRIMARY KEY, name TEXT NOT NULL, since INTEGER NOT NULL, complete INTEGER NOT NULL,
        joined INTEGER NOT NULL
      ) STRICT;
      -- \`told\`: to the person's other machines.
      CREATE TABLE reads (id TEXT PRIMARY KEY, told INTEGER NOT NULL DEFAULT 0) STRICT;
      CREATE INDEX reads_untold ON reads (id) WHERE told = 0;
      CREATE TABLE receipts_due (
        id TEXT NOT NULL, member TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, detail TEXT,
        sent INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (id, state)
      ) STRICT;
      -- Which of my sessions a message to me, or to a room that I am in, was given to: 'given' before it is shown there,
      -- 'shown' after; 'possible' where it isn't known whether it came to that, here or on another machine.
      CREATE TABLE routes (id TEXT PRIMARY KEY, session TEXT, state TEXT NOT NULL) STRICT;
      CREATE TABLE refusals (seq INTEGER PRIMARY KEY, code TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    `,
  },
  {
    name: "0002-mailed-invites",
    sql: `
      -- Invites that were mailed from here, and who asks to join by one.
      CREATE TABLE mailed_invites (code TEXT PRIMARY KEY, email TEXT NOT NULL) STRICT;
      CREATE TABLE join_requests (
        code TEXT NOT NULL, user TEXT NOT NULL, at INTEGER NOT NULL, words TEXT NOT NULL, sealing TEXT NOT NULL,
        PRIMARY KEY (code, user)
      ) STRICT;
    `,
  },
  {
    name: "0003-topic-keys",
    sql: `
      -- Keys of private topics, each wrapped under a key of the seed that \`member\` and \`seed\` name.
      CREATE TABLE topic_keys (
        label TEXT NOT NULL, generation INTEGER NOT NULL, member TEXT NOT NULL, seed INTEGER NOT NULL, box BLOB NOT NULL
      ) STRICT;
    `,
  },
  {
    name: "0004-doubts",
    sql: `
      -- What the broker said that can't be true, beyond records: how it greeted, faces, signals, another log. Counted.
      CREATE TABLE doubts (
        what TEXT NOT NULL, code TEXT NOT NULL, member TEXT NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (what, code, member)
      ) STRICT;
    `,
  },
  {
    name: "0005-deliveries",
    sql: `
      -- What became of a message at one of my sessions; \`session\` is empty where it is none of this machine's.
      -- given: it waits to be shown there · returned: its session went before that · posting: it is being shown just now ·
      -- shown · counted: only how many there are was · seen: a turn of the model had it · possible: it isn't known whether it was shown · held, refused: why.
      CREATE TABLE deliveries (
        sender TEXT NOT NULL, id TEXT NOT NULL, session TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL,
        reason TEXT, PRIMARY KEY (sender, id, session)
      ) STRICT;
      CREATE INDEX deliveries_under_way ON deliveries (state) WHERE state IN ('given', 'returned', 'posting', 'held');
      INSERT INTO deliveries (sender, id, session, state, at)
        SELECT r.sender, r.id, coalesce(o.session, ''), CASE o.state WHEN 'shown' THEN 'shown' ELSE 'possible' END, r.at
        FROM routes o JOIN records r ON r.id = o.id;
      DROP TABLE routes;
    `,
  },
  {
    name: "0006-held",
    sql: `
      -- More states: kept: the session's client has it, and asks its person · dropped: its person wants it shown nowhere.
      -- 'given' with a reason: it waits for a better moment. \`at\`: when it was given, then when it was shown.
      -- \`released\`: its person wants it shown, whatever would hold it.
      ALTER TABLE deliveries ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
      CREATE INDEX deliveries_by_time ON deliveries (at);
    `,
  },
];

/** What can't be true; `another log`: it can, after a restore, and values may be older than they were. */
export type Doubtful = "greeting" | "face" | "signal" | "another log";

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
    /** Null for an entry that has no place in this log yet. */
    chainSequence(height: number): number | null {
      const seq = db.sql("SELECT seq FROM chain WHERE height = ?").get(height)?.seq ?? null;
      return seq === null ? null : Number(seq);
    },
    /** Another log: what had its place has it no more, until it comes again. */
    displaceAll(): void {
      db.exec("UPDATE records SET seq = NULL");
      db.exec("UPDATE chain SET seq = NULL");
    },
    putChain(height: number, seq: number | null, bytes: Uint8Array) {
      db.sql(
        "INSERT INTO chain (height, seq, bytes) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE chain.seq IS NULL",
      ).run(height, seq, bytes);
    },

    /** The newest record at or below the cursor, for the hello. */
    lastPlaced: (): { seq: number; id: string } | null => {
      const row = db
        .sql("SELECT seq, id FROM records WHERE seq <= ? ORDER BY seq DESC LIMIT 1")
        .get(Number(meta("cursor") ?? 0));
      return row ? { seq: Number(row.seq), id: String(row.id) } : null;
    },
    /** Records above `after` in the order of their coming, a page at a time; `waiting` for those not applied yet. */
    records: (after: number, limit: number, which: "applied" | "waiting"): StoredRecord[] =>
      db
        .sql(
          `SELECT position, seq, at, status, bytes FROM records
           WHERE position > ? AND ${which === "applied" ? "status = 'applied'" : WAITING} ORDER BY position LIMIT ?`,
        )
        .all(after, limit)
        .map(storedRecord),
    /** A record that waited and is refused now that it can be judged. */
    giveBack({ position, seq, at }: StoredRecord, code: string): void {
      db.sql("DELETE FROM records WHERE position = ?").run(position);
      if (seq !== null) db.sql("INSERT OR REPLACE INTO refusals VALUES (?, ?, ?)").run(seq, code, at);
    },
    /** Whose messages are kept from being shown. */
    barred: (): string[] =>
      db
        .sql("SELECT DISTINCT sender FROM records WHERE status <> 'applied' AND status = 'barred'")
        .all()
        .map((row) => String(row.sender)),
    /** What was kept from being shown is looked at again. */
    unbar: (sender: string): boolean =>
      db
        .sql(
          "UPDATE records SET status = 'sealed' WHERE sender = ? AND status <> 'applied' AND status = 'barred'",
        )
        .run(sender).changes > 0,
    setStatus: (position: number, status: RecordStatus) =>
      db.sql("UPDATE records SET status = ? WHERE position = ?").run(status, position),

    /** An append takes the next running number of its label with it. */
    enqueue(id: string, label: string, event: MeshEvent, put: PutOrder | null, createdAt: number): void {
      const n = put ? 0 : nextNumber(db, label);
      insertOutbox(db, { id, label, n, put, event, createdAt });
    },
    /** Records of one's own again, under their old numbers, before what was said since: the broker's log has lost them. */
    requeue(rows: readonly Omit<OutboxRow, "position">[]): void {
      const since = db.sql("SELECT * FROM outbox ORDER BY position").all().map(outboxRow);
      db.transaction(() => {
        db.exec("DELETE FROM outbox");
        for (const row of [...rows, ...since]) insertOutbox(db, row);
      });
    },
    /**
     * The device's numbers go on where its placed records end: this database may be younger than the device. What is
     * offered again keeps its own.
     */
    renumber(dev: string): void {
      const fresh = db
        .sql(
          "SELECT id, label FROM outbox WHERE n > 0 AND id NOT IN (SELECT id FROM records) ORDER BY position",
        )
        .all();
      db.exec("DELETE FROM counters");
      db.sql(
        "INSERT INTO counters (label, n) SELECT label, max(n) FROM records WHERE dev = ? AND n > 0 GROUP BY label",
      ).run(dev);
      for (const { id = null, label = null } of fresh) {
        db.sql("UPDATE outbox SET n = ? WHERE id = ?").run(nextNumber(db, String(label)), id);
      }
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

    /** Guards of a label that are here, in the order of their places; those that a log has lost come last. */
    guards: (label: string): StoredRecord[] =>
      db
        .sql(
          "SELECT * FROM records WHERE label = ?1 AND key > ?1 || '/' AND key < ?1 || '0' ORDER BY seq IS NULL, seq, version",
        )
        .all(label)
        .map(storedRecord),
    forgetLostGuards: (label: string) =>
      db
        .sql("DELETE FROM records WHERE label = ?1 AND seq IS NULL AND key > ?1 || '/' AND key < ?1 || '0'")
        .run(label),
    topicKeys: () =>
      db
        .sql("SELECT * FROM topic_keys ORDER BY rowid")
        .all()
        .map((row) => ({
          label: String(row.label),
          generation: Number(row.generation),
          member: String(row.member),
          seed: Number(row.seed),
          box: blobOf(row.box),
        })),
    keepTopicKey: (label: string, generation: number, member: string, seed: number, box: Uint8Array) =>
      db
        .sql("INSERT INTO topic_keys (label, generation, member, seed, box) VALUES (?, ?, ?, ?, ?)")
        .run(label, generation, member, seed, box),
    /** What waited for the label won't be sent: once nothing does, its numbers go on where what was placed ends. */
    renumberLabel(label: string, dev: string): void {
      db.sql(
        `UPDATE counters SET n = (SELECT coalesce(max(n), 0) FROM records WHERE label = ?1 AND dev = ?2)
         WHERE label = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE label = ?1)`,
      ).run(label, dev);
    },
    doubt: (what: Doubtful, code: string, member: string | null, at: number) =>
      db
        .sql(
          `INSERT INTO doubts (what, code, member, count, at) VALUES (?, ?, ?, 1, ?)
           ON CONFLICT DO UPDATE SET count = count + 1, at = excluded.at`,
        )
        .run(what, code, member ?? "", Math.floor(at)),
    isRefused: (seq: number) => db.sql("SELECT 1 FROM refusals WHERE seq = ?").get(seq) !== undefined,
    refuse: (seq: number, code: string, at: number) =>
      db
        .sql("INSERT OR REPLACE INTO refusals (seq, code, at) VALUES (?, ?, ?)")
        .run(seq, code, Math.floor(at)),
  };
}

function nextNumber(db: Database, label: string): number {
  const next = db
    .sql("INSERT INTO counters (label, n) VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n")
    .get(label);
  return Number(next?.n);
}

function insertOutbox(
  db: Database,
  { id, label, n, put, event, createdAt }: Omit<OutboxRow, "position">,
): void {
  db.sql("INSERT OR IGNORE INTO outbox (id, label, n, put, event, created_at) VALUES (?, ?, ?, ?, ?, ?)").run(
    id,
    label,
    n,
    put && JSON.stringify(put),
    JSON.stringify(event),
    createdAt,
  );
}

/** Whether what is said under the label comes here. */
export function isFollowed(db: Database, label: string): boolean {
  return db.sql("SELECT 1 FROM labels WHERE label = ? AND joined = 1").get(label) !== undefined;
}

export function storedRecord(row: SqlRow): StoredRecord {
  return {
    position: Number(row.position),
    seq: row.seq === null ? null : Number(row.seq),
    at: Number(row.at),
    status: toStatus(row.status),
    bytes: blob(row),
  };
}

function outboxRow(row: SqlRow): OutboxRow {
  return {
    position: Number(row.position),
    id: String(row.id),
    label: String(row.label),
    n: Number(row.n),
    // Both written by `insertOutbox` from typed values.
    put: row.put === null ? null : (JSON.parse(String(row.put)) as PutOrder),
    event: JSON.parse(String(row.event)) as MeshEvent,
    createdAt: Number(row.created_at),
  };
}

function toStatus(value: unknown): RecordStatus {
  return STATUSES.find((one) => one === value) ?? "applied";
}

function blob(row: SqlRow): Uint8Array {
  return blobOf(row.bytes);
}

function blobOf(value: SqlRow[string] | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Error("it is a blob by its schema");
  return value;
}
