/** What every database has to do, whatever it is made of. `open` with the same place again finds what was committed. */
import { describe, expect, test } from "vitest";
import type { Database, Migration } from "#protocol/ports.ts";
import { codeOf } from "#test/code-of.ts";

export const notes: Migration = { name: "notes", sql: "CREATE TABLE notes (text TEXT NOT NULL) STRICT" };
export const first: Migration = { name: "first note", sql: "INSERT INTO notes (text) VALUES ('first')" };

export function texts(database: Database): unknown[] {
  return database
    .sql("SELECT text FROM notes ORDER BY rowid")
    .all()
    .map((row) => row.text);
}

export function write(database: Database, text: string): void {
  database.sql("INSERT INTO notes (text) VALUES (?)").run(text);
}

/** `open` opens the test's one place; `closeAll` closes what is open there. */
export function databaseSuite(
  name: string,
  open: (migrations?: readonly Migration[]) => Database,
  closeAll: () => void,
): void {
  describe(name, () => {
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
      open([notes]);
      closeAll();
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

    test("for several works undoes the one that fails, and shows none of them before all are done", () => {
      const [database, reader] = [open(), open()];
      const fails = () => {
        database.transaction(() => write(database, "lost"));
        throw new Error("no");
      };
      const last = () => {
        write(database, "last");
        return texts(reader);
      };
      const outcomes = database.together([() => void write(database, "first"), fails, last]);
      expect(outcomes).toEqual([{ value: undefined }, { error: new Error("no") }, { value: [] }]);
      expect(texts(reader)).toEqual(["first", "last"]);
    });

    test("for several works keeps none when one ends it", () => {
      const database = open();
      const ends = () => {
        database.exec("ROLLBACK");
        throw new Error("the disk is gone");
      };
      const never = () => void write(database, "never");
      expect(() => database.together([() => void write(database, "first"), ends, never])).toThrow("gone");
      expect(texts(database)).toEqual([]);
    });
  });
}
