/** A copy of the log while the broker goes on, and what a copy needs before it becomes a broker's log again. */
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { syncFolder } from "#adapters/atomic-file.ts";
import { openSqlite, openSqliteToRead } from "#adapters/sqlite.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Random } from "#protocol/ports.ts";
import { MIGRATIONS } from "./sqlite-migrations.ts";

/**
 * Writes one moment of the log at `path` to `file`, which appears whole or not at all. Whoever writes meanwhile isn't
 * held up.
 * @throws MeshError conflict when `file` is there, not_found when there is no log
 */
export function backUp(path: string, file: string): void {
  if (!existsSync(path)) throw new MeshError("not_found", `There is no log at ${path}.`, "Give its --data.");
  if (existsSync(file)) throw new MeshError("conflict", `${file} is there already.`, "Give another name.");
  const draft = `${file}.${process.pid}.tmp`;
  const database = openSqliteToRead(path);
  try {
    database.sql("VACUUM INTO ?").run(draft);
    chmodSync(draft, 0o600);
    const written = openSync(draft, "r");
    fsyncSync(written);
    closeSync(written);
    renameSync(draft, file);
    syncFolder(dirname(file));
  } finally {
    database.close();
    rmSync(draft, { force: true });
  }
}

/**
 * Gives every workspace's log another id, and answers how many there are: sequences that came after the backup are given
 * out a second time, so no device may take this for the log that it knows. Refresh tokens that came after it are unknown
 * here, so each device's next one counts, whichever it is; its signature still has to hold.
 * @throws MeshError not_found when there is no log
 */
export function markRestored(path: string, random: Random): number {
  if (!existsSync(path)) throw new MeshError("not_found", `There is no log at ${path}.`, "Give its --data.");
  const database = openSqlite(path, MIGRATIONS);
  try {
    return database.transaction(() => {
      database.sql("UPDATE families SET current = NULL, previous = NULL").run();
      const workspaces = database.sql("SELECT number FROM workspaces").all();
      for (const { number } of workspaces) {
        const logId = toBase64url(random(16));
        database.sql("UPDATE workspaces SET log_id = ? WHERE number = ?").run(logId, Number(number));
      }
      return workspaces.length;
    });
  } finally {
    database.close();
  }
}
