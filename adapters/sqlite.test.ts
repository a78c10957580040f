import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database, Migration } from "#protocol/ports.ts";
import { codeOf } from "#test/code-of.ts";
import { databaseSuite, first, notes, write } from "./database.suite.ts";
import { openSqlite } from "./sqlite.ts";

let folder: string;
let path: string;
let opened: Database[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claudemesh-sqlite-"));
  path = join(folder, "test.db");
  opened = [];
});

afterEach(() => {
  for (const database of opened) database.close();
  rmSync(folder, { recursive: true });
});

function open(migrations: readonly Migration[] = [notes]): Database {
  const database = openSqlite(path, migrations);
  opened.push(database);
  return database;
}

databaseSuite("SQLite", open, () => {
  for (const database of opened) database.close();
  opened = [];
});

describe("an SQLite file", () => {
  test("is in WAL, every commit synced", () => {
    const database = open();
    expect(database.sql("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect(database.sql("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  });

  test("migrations that refuse leave no lock behind", () => {
    open([notes, first]).close();
    opened = [];
    expect(codeOf(() => open([notes]))).toBe("conflict");
    const database = open([notes, first]);
    expect(database.sql("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
    database.transaction(() => write(database, "second"));
  });
});

describe("a file that is no database", () => {
  test.each([
    ["noise", () => writeFileSync(path, "noise ".repeat(1000)), "bad_data"],
    ["a folder", () => mkdirSync(path), "bad_data"],
  ])("%s is named, and left as it was", (_, make, code) => {
    make();
    const before = statSync(path).size;
    expect(codeOf(() => open())).toBe(code);
    expect(statSync(path).size).toBe(before);
  });
});
