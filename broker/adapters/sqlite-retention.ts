/** Taking records out of the SQLite log: replaced values, and what retention has no more room for. */
import { CHAIN } from "#protocol/ids.ts";
import type { Database, SqlValue } from "#protocol/ports.ts";
import type { Retention } from "../store/store.ts";

/** Rows that one transaction removes at most, so that commits needn't wait long. */
const BITE = 500;

/** Removes the rows that `where` picks; their identities stay known, so that a record sent again isn't taken twice. */
export function removeRecords(database: Database, where: string, values: readonly SqlValue[]): number {
  const rows = database
    .sql(`SELECT rowid, workspace, length(bytes) AS size FROM records WHERE ${where}`)
    .all(...values);
  for (const { rowid = null, workspace = null, size = 0 } of rows) {
    database
      .sql("INSERT INTO past_ids SELECT workspace, sender, id, seq, at FROM records WHERE rowid = ?")
      .run(rowid);
    database.sql("DELETE FROM records WHERE rowid = ?").run(rowid);
    database.sql("UPDATE workspaces SET bytes = bytes - ? WHERE number = ?").run(size, workspace);
  }
  return rows.length;
}

/** One bite of retention, inside the caller's transaction. */
export function removeOld(database: Database, retention: Retention) {
  const { deadBefore, idsBefore } = retention;
  const floors = new Map<string, number>();
  let left = BITE;
  for (const { number, id, floor, bytes } of database
    .sql("SELECT number, id, floor, bytes FROM workspaces")
    .all()) {
    if (left <= 0) break;
    const last = lastToGo(
      database,
      { number: Number(number), floor: Number(floor), bytes: Number(bytes) },
      retention,
      left,
    );
    if (last === null) continue;
    left -= removeRecords(database, "workspace = ? AND seq > ? AND seq <= ? AND key IS NULL AND label <> ?", [
      Number(number),
      Number(floor),
      last,
      CHAIN,
    ]);
    database.sql("UPDATE workspaces SET floor = ? WHERE number = ?").run(last, Number(number));
    floors.set(String(id), last);
  }
  left -= removeRecords(
    database,
    `rowid IN (SELECT rowid FROM records WHERE (tombstone = 1 AND at < ?1) OR (expires_at < ?1) LIMIT ?2)`,
    [deadBefore, Math.max(0, left)],
  );
  left -= database
    .sql(
      `DELETE FROM past_ids WHERE (workspace, sender, id) IN
         (SELECT workspace, sender, id FROM past_ids WHERE at < ? LIMIT ?)`,
    )
    .run(idsBefore, Math.max(0, left)).changes;
  return { floors, more: left <= 0 };
}

/** Sequence of the newest append that has to go, at most `limit` of them; null when none has to. */
function lastToGo(
  database: Database,
  workspace: { number: number; floor: number; bytes: number },
  { appendsBefore, quotaBytes }: Retention,
  limit: number,
): number | null {
  let excess = workspace.bytes - quotaBytes;
  let last: number | null = null;
  const oldest = database.sql(
    `SELECT seq, at, length(bytes) AS size FROM records
     WHERE workspace = ? AND seq > ? AND key IS NULL AND label <> ? ORDER BY seq LIMIT ?`,
  );
  for (const { seq, at, size } of oldest.each(workspace.number, workspace.floor, CHAIN, limit)) {
    if (Number(at) >= appendsBefore && excess <= 0) break;
    excess -= Number(size);
    last = Number(seq);
  }
  return last;
}
