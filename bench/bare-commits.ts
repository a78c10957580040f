/** What any design has to pay: bare rows of a record's size, each commit synced, and one signature verified for each. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeCurves } from "#adapters/curves.ts";
import { openSqlite } from "#adapters/sqlite.ts";

const SCHEMA = [{ name: "t", sql: "CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)" }];
const RECORD = new Uint8Array(900);

export type BareWork = {
  sign(): Promise<unknown>;
  verify(): Promise<unknown>;
  /** So many rows in one synced commit. */
  commit(rows: number): void;
  close(): void;
};

export async function bareWork(): Promise<BareWork> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const db = openSqlite(join(folder, "bare"), SCHEMA);
  const seed = new Uint8Array(32).fill(7);
  const key = await nodeCurves.signingPublicKey(seed);
  const signature = await nodeCurves.sign(seed, RECORD);
  const insert = db.sql("INSERT INTO t (bytes) VALUES (?)");
  return {
    sign: () => nodeCurves.sign(seed, RECORD),
    verify: () => nodeCurves.verify(key, RECORD, signature),
    commit: (rows) => db.transaction(() => void Array.from({ length: rows }, () => insert.run(RECORD))),
    close() {
      db.close();
      rmSync(folder, { recursive: true });
    },
  };
}
