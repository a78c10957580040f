import { expect, onTestFinished, test } from "vitest";
import { systemTimers } from "#adapters/clock.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import type { Database } from "#protocol/ports.ts";
import { createCommits } from "./commits.ts";

const NOTES = { name: "notes", sql: "CREATE TABLE notes (text TEXT NOT NULL) STRICT" };

/** A database that counts what `together` was asked for. */
function counted() {
  const turns: number[] = [];
  const db = openSqlite(":memory:", [NOTES]);
  onTestFinished(() => db.close());
  const counting: Database = {
    ...db,
    together(works) {
      turns.push(works.length);
      return db.together(works);
    },
  };
  const write = (text: string) => () => {
    db.sql("INSERT INTO notes (text) VALUES (?)").run(text);
    return text;
  };
  const texts = () =>
    db
      .sql("SELECT text FROM notes ORDER BY rowid")
      .all()
      .map((row) => row.text);
  return { db, turns, write, texts, commits: createCommits(counting, systemTimers) };
}

test("what is asked for in one turn is written in its order, by one commit, and answered after it", async () => {
  const { turns, write, texts, commits } = counted();
  const answers = Promise.all(["a", "b", "c"].map((text) => commits.commit(write(text))));
  expect(texts()).toEqual([]);
  expect(await answers).toEqual(["a", "b", "c"]);
  await commits.commit(write("d"));
  expect(texts()).toEqual(["a", "b", "c", "d"]);
  expect(turns).toEqual([3, 1]);
});

test("one that fails is undone and told so; the others are kept", async () => {
  const { write, texts, commits } = counted();
  const fails = () => {
    write("half")();
    throw new Error("no");
  };
  const outcomes = await Promise.allSettled([write("a"), fails, write("b")].map(commits.commit));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(texts()).toEqual(["a", "b"]);
});

test("when the commit fails, each is told so, and the next turn begins anew", async () => {
  const { db, write, texts, commits } = counted();
  const ends = () => {
    db.exec("ROLLBACK");
    throw new Error("the disk is gone");
  };
  const outcomes = await Promise.allSettled([write("a"), ends, write("b")].map(commits.commit));
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(texts()).toEqual([]);
  expect(await commits.commit(write("c"))).toBe("c");
});

test("before its database is closed, what waits is committed", async () => {
  const { write, texts, commits } = counted();
  const answer = commits.commit(write("a"));
  commits.flush();
  expect(texts()).toEqual(["a"]);
  expect(await answer).toBe("a");
});
