/** The store in one SQLite file for all workspaces: one commit carries a batch, whosever records are in it. */
import { openSqlite } from "#adapters/sqlite.ts";
import { MeshError } from "#protocol/errors.ts";
import { CHAIN } from "#protocol/ids.ts";
import type { Database, SqlRow } from "#protocol/ports.ts";
import type { Cell, Commit, LogRecord, Store } from "../store/store.ts";
import { MIGRATIONS } from "./sqlite-migrations.ts";
import { removeOld, removeRecords } from "./sqlite-retention.ts";

/** `path` may be ":memory:". With a `database` that only reads, so does the store. */
export function openSqliteStore(path: string, database = openSqlite(path, MIGRATIONS)): Store {
  const numbers = new Map<string, number>();

  const numberOf = (workspace: string): number => {
    const known = numbers.get(workspace);
    if (known !== undefined) return known;
    const row = database.sql("SELECT number FROM workspaces WHERE id = ?").get(workspace);
    if (!row) return 0;
    numbers.set(workspace, Number(row.number));
    return Number(row.number);
  };

  return {
    async workspace(id) {
      const row = database.sql("SELECT log_id, head, floor FROM workspaces WHERE id = ?").get(id);
      return row ? { logId: String(row.log_id), head: Number(row.head), floor: Number(row.floor) } : null;
    },

    async chain(workspace) {
      return database
        .sql("SELECT seq, at, bytes FROM records WHERE workspace = ? AND label = ? ORDER BY seq")
        .all(numberOf(workspace), CHAIN)
        .map(logRecord);
    },

    async places(keys) {
      const find = database.sql(
        `SELECT seq, at FROM records WHERE workspace = ?1 AND sender = ?2 AND id = ?3
         UNION ALL SELECT seq, at FROM past_ids WHERE workspace = ?1 AND sender = ?2 AND id = ?3 LIMIT 1`,
      );
      return keys.map(({ workspace, sender, id }) => {
        const row = find.get(numberOf(workspace), sender, id);
        return row ? { seq: Number(row.seq), at: Number(row.at) } : null;
      });
    },

    async cells(names) {
      const find = database.sql(
        "SELECT * FROM records WHERE workspace = ? AND label = ? AND key = ? AND owner = ? AND key IS NOT NULL",
      );
      return names.map(({ workspace, label, key, owner }) => {
        const row = find.get(numberOf(workspace), label, key, owner);
        return row ? cellOf(row) : null;
      });
    },

    async guards(workspace) {
      return database
        .sql("SELECT seq, at, bytes FROM records WHERE workspace = ? AND key = label AND owner = ''")
        .all(numberOf(workspace))
        .map(logRecord);
    },

    async idAt(workspace, seq) {
      const row = database
        .sql("SELECT id FROM records WHERE workspace = ? AND seq = ?")
        .get(numberOf(workspace), seq);
      return row ? String(row.id) : null;
    },

    async commit(commit) {
      try {
        database.transaction(() => write(database, numberOf, commit));
      } catch (error) {
        // The rollback took new workspaces' numbers with it.
        numbers.clear();
        throw namedIfFull(error);
      }
    },

    async select(workspace, { after, labels, sender, maxRecords, maxBytes }) {
      const number = numberOf(workspace);
      const head = database.sql("SELECT head FROM workspaces WHERE number = ?").get(number);
      const rows = database
        .sql(
          `SELECT seq, at, bytes FROM records
           WHERE workspace = ? AND seq > ? AND (label IN (SELECT value FROM json_each(?)) OR sender = ?)
           ORDER BY seq LIMIT ?`,
        )
        .each(number, after, JSON.stringify(labels), sender, maxRecords);
      const { records, size } = takeBytes(rows, maxBytes);
      const last = records.at(-1);
      const full = last !== undefined && (records.length === maxRecords || size >= maxBytes);
      return { records, through: full ? last.seq : Math.max(after, Number(head?.head ?? 0)) };
    },

    async history(workspace, label, before, limit, maxBytes = Number.POSITIVE_INFINITY) {
      const rows = database
        .sql(
          "SELECT seq, at, bytes FROM records WHERE workspace = ? AND label = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
        )
        .each(numberOf(workspace), label, before, limit);
      return takeBytes(rows, maxBytes).records;
    },

    async blocks(workspace) {
      return database
        .sql("SELECT member, blocked, since FROM blocks WHERE workspace = ?")
        .all(numberOf(workspace))
        .map((row) => ({
          member: String(row.member),
          blocked: String(row.blocked),
          since: Number(row.since),
        }));
    },

    async putBlocks(workspace, member, blocks) {
      const number = numberOf(workspace);
      const insert = database.sql(
        "INSERT INTO blocks (workspace, member, blocked, since) VALUES (?, ?, ?, ?)",
      );
      durably(() =>
        database.transaction(() => {
          database.sql("DELETE FROM blocks WHERE workspace = ? AND member = ?").run(number, member);
          for (const { blocked, since } of blocks) insert.run(number, member, blocked, since);
        }),
      );
    },

    async inviteWorkspace(code) {
      const row = database
        .sql("SELECT w.id FROM invites i JOIN workspaces w ON w.number = i.workspace WHERE i.code = ?")
        .get(code);
      return row ? String(row.id) : null;
    },

    async joinRequests(code) {
      const rows = database.sql("SELECT * FROM join_requests WHERE code = ? ORDER BY at").all(code);
      return rows.map(({ user, at, request, answer }) => ({
        user: String(user),
        at: Number(at),
        request: String(request),
        answer: answer === null ? null : String(answer),
      }));
    },

    async putJoinRequest(code, { user, at, request }) {
      durably(() =>
        database
          .sql(
            `INSERT INTO join_requests (code, user, at, request) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET at = excluded.at, request = excluded.request WHERE answer IS NULL`,
          )
          .run(code, user, at, request),
      );
    },

    async answerJoinRequest(code, user, answer) {
      durably(() =>
        database
          .sql("UPDATE join_requests SET answer = ? WHERE code = ? AND user = ?")
          .run(answer, code, user),
      );
    },

    async dropJoinRequests(before) {
      database.sql("DELETE FROM join_requests WHERE at < ?").run(before);
    },

    async retain(retention) {
      return durably(() => database.transaction(() => removeOld(database, retention)));
    },

    async close() {
      database.close();
    },
  };
}

/** @throws MeshError storage_full */
function durably<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw namedIfFull(error);
  }
}

function write(database: Database, numberOf: (workspace: string) => number, commit: Commit): void {
  for (const { id, logId } of commit.workspaces) {
    database.sql("INSERT INTO workspaces (id, log_id, head) VALUES (?, ?, 0)").run(id, logId);
  }
  const insert = database.sql(
    `INSERT INTO records (workspace, seq, at, sender, id, label, bytes, key, owner, version, hash, expires_at, tombstone)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const tips = new Map<number, { head: number; bytes: number }>();
  for (const { workspace, seq, at, sender, id, label, bytes, cell } of commit.records) {
    const number = numberOf(workspace);
    if (cell?.key === label && cell.owner === "") keepGuard(database, number, label);
    else if (cell)
      removeRecords(database, "workspace = ? AND label = ? AND key = ? AND owner = ?", [
        number,
        label,
        cell.key,
        cell.owner,
      ]);
    const { key = null, owner = null, version = null, hash = null, expiresAt = null } = cell ?? {};
    const tombstone = cell ? Number(cell.tombstone) : null;
    insert.run(number, seq, at, sender, id, label, bytes, key, owner, version, hash, expiresAt, tombstone);
    tips.set(number, { head: seq, bytes: (tips.get(number)?.bytes ?? 0) + bytes.length });
  }
  for (const [number, { head, bytes }] of tips) {
    database
      .sql("UPDATE workspaces SET head = ?, bytes = bytes + ? WHERE number = ?")
      .run(head, bytes, number);
  }
  for (const { code, workspace } of commit.invites) {
    database.sql("INSERT INTO invites (code, workspace) VALUES (?, ?)").run(code, numberOf(workspace));
  }
}

/** Out of its cell, under a name that no put has, and as a value still: retention leaves it. */
function keepGuard(database: Database, workspace: number, label: string): void {
  database
    .sql(
      "UPDATE records SET key = key || '/' || version WHERE workspace = ? AND label = ? AND key = label AND owner = ''",
    )
    .run(workspace, label);
}

/** Records until `maxBytes` is reached; what lies behind isn't read. */
function takeBytes(rows: Iterable<SqlRow>, maxBytes: number): { records: LogRecord[]; size: number } {
  const records: LogRecord[] = [];
  let size = 0;
  for (const row of rows) {
    const record = logRecord(row);
    records.push(record);
    size += record.bytes.length;
    if (size >= maxBytes) break;
  }
  return { records, size };
}

function logRecord(row: SqlRow): LogRecord {
  if (!(row.bytes instanceof Uint8Array)) throw new Error("records.bytes is a blob by its schema");
  return { seq: Number(row.seq), at: Number(row.at), bytes: row.bytes };
}

function cellOf(row: SqlRow): Cell {
  return {
    ...logRecord(row),
    version: Number(row.version),
    hash: String(row.hash),
    expiresAt: row.expires_at === null ? null : Number(row.expires_at),
    tombstone: row.tombstone === 1,
  };
}

export function namedIfFull(error: unknown): unknown {
  const isFull = error instanceof Error && "code" in error && error.code === "SQLITE_FULL";
  if (!isFull) return error;
  return new MeshError(
    "storage_full",
    "The broker's disk is full.",
    "It is tried again; tell whoever runs the broker.",
  );
}
