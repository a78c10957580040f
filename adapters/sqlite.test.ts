import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database, Migration } from "#protocol/ports.ts";
import { codeOf } from "#test/code-of.ts";
import { openSqlite } from "./sqlite.ts";

const notes: Migration = { name: "notes", sql: "CREATE TABLE notes (text TEXT NOT NULL) STRICT" };
const first: Migration = { name: "first note", sql: "INSERT INTO notes (text) VALUES ('first')" };

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

function texts(database: Database): unknown[] {
  return database
    .sql("SELECT text FROM notes ORDER BY rowid")
    .all()
    .map((row) => row.text);
}

function write(database: Database, text: string): void {
  database.sql("INSERT INTO notes (text) VALUES (?)").run(text);
}

describe("a database", () => {
  test("is in WAL, every commit synced", () => {
    const database = open();
    expect(database.sql("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect(database.sql("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  });

  test("shows a second connection what was committed, and nothing before", () => {
    const [writer, reader] = [open(), open()];
    writer.transaction(() => {
      write(writer, "one");
      expect(texts(reader)).toEqual([]);
    });
    expect(texts(reader)).toEqual(["one"]);
  });

  test("gives rows one by one, bytes as bytes", () => {
    const database = open();
    database.exec("CREATE TABLE blobs (content BLOB) STRICT");
    for (const byte of [1, 2]) database.sql("INSERT INTO blobs VALUES (?)").run(Uint8Array.of(byte));
    const rows = Array.from(database.sql("SELECT content FROM blobs").each(), (row) => row.content);
    expect(rows.map((content) => content instanceof Uint8Array && [...content])).toEqual([[1], [2]]);
    expect(database.sql("DELETE FROM blobs").run().changes).toBe(2);
    expect(database.sql("SELECT content FROM blobs").get()).toBeUndefined();
  });
});

describe("migrations", () => {
  test("are applied once each, in order, new ones on the next opening", () => {
    open([notes]).close();
    opened = [];
    expect(texts(open([notes, first]))).toEqual(["first"]);
    expect(texts(open([notes, first]))).toEqual(["first"]);
  });

  test("refuse as conflict a database whose migration has changed since", () => {
    open([notes, first]);
    const changed = { ...first, sql: first.sql.replace("'first'", "'other'") };
    expect(codeOf(() => open([notes, changed]))).toBe("conflict");
    expect(texts(open([notes, first]))).toEqual(["first"]);
  });

  test("refuse as conflict a database of a newer version", () => {
    open([notes, first]);
    expect(codeOf(() => open([notes]))).toBe("conflict");
  });

  test("are all applied or none", () => {
    const broken = { name: "broken", sql: "INSERT INTO nowhere VALUES (1)" };
    expect(() => open([notes, first, broken])).toThrow(/nowhere/);
    expect(texts(open([notes]))).toEqual([]);
  });

  test("leave no lock behind when they refuse", () => {
    open([notes, first]).close();
    opened = [];
    expect(codeOf(() => open([notes]))).toBe("conflict");
    const database = open([notes, first]);
    expect(database.sql("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
    database.transaction(() => write(database, "second"));
  });
});

describe("a transaction", () => {
  test("is undone by what is thrown in it, and throws it on", () => {
    const database = open();
    const run = () =>
      database.transaction(() => {
        write(database, "lost");
        throw new Error("no");
      });
    expect(run).toThrow("no");
    expect(texts(database)).toEqual([]);
    database.transaction(() => write(database, "kept"));
    expect(texts(database)).toEqual(["kept"]);
  });

  test("answers what its function answers", () => {
    expect(open().transaction(() => 42)).toBe(42);
  });

  test("inside of another joins it: both are kept or both are undone", () => {
    const database = open();
    const both = (fail: boolean) => () =>
      database.transaction(() => {
        write(database, "outer");
        database.transaction(() => write(database, "inner"));
        if (fail) throw new Error("no");
      });
    expect(both(true)).toThrow("no");
    expect(texts(database)).toEqual([]);
    both(false)();
    expect(texts(database)).toEqual(["outer", "inner"]);
  });

  test("is undone whole by what is thrown inside of the inner one", () => {
    const database = open();
    const run = () =>
      database.transaction(() => {
        write(database, "outer");
        database.transaction(() => {
          throw new Error("inner");
        });
      });
    expect(run).toThrow("inner");
    expect(texts(database)).toEqual([]);
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
