// What was committed outlives its process, whatever ends it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild } from "#test/child.ts";
import { openSqlite } from "./sqlite.ts";

const migrations = [{ name: "numbers", sql: "CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT" }];

const OPEN = `
  import { writeSync } from "node:fs";
  import { openSqlite } from "./adapters/sqlite.ts";
  const database = openSqlite(process.argv[1], ${JSON.stringify(migrations)});
  const insert = (n) => database.sql("INSERT INTO numbers (n) VALUES (?)").run(n);
`;

/** Commits without end, and says each number once it is committed. */
const COMMITS = `${OPEN}
  for (let n = 1; ; n++) {
    database.transaction(() => insert(n));
    writeSync(1, n + "\\n");
  }
`;

/** Commits one number, then says another in the middle of a transaction that never ends. */
const NEVER_ENDS = `${OPEN}
  insert(1);
  database.transaction(() => {
    insert(2);
    writeSync(1, "2\\n");
    for (;;);
  });
`;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claudemesh-crash-"));
  path = join(folder, "test.db");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Kills the writer when it has said `last`, and answers the last number that came out of it. */
async function killedAfter(source: string, last: number): Promise<number> {
  const writer = startChild(source, path);
  let said = 0;
  for await (const line of writer.lines) {
    said = Number(line);
    if (said === last) await writer.kill();
  }
  return said;
}

function keptNumbers(): unknown[] {
  const database = openSqlite(path, migrations);
  const kept = database.sql("SELECT n FROM numbers ORDER BY n").all();
  database.close();
  return kept.map((row) => row.n);
}

test("rows committed by a process that was killed are there for the next one", async () => {
  const said = await killedAfter(COMMITS, 20);
  const kept = keptNumbers();
  expect(said).toBeGreaterThanOrEqual(20);
  expect(kept.slice(0, said)).toEqual(Array.from({ length: said }, (_, i) => i + 1));
  // The last commit may have been made, but not said.
  expect(kept.length - said).toBeLessThanOrEqual(1);
});

test("a transaction in which its process was killed is undone, and holds up nobody", async () => {
  expect(await killedAfter(NEVER_ENDS, 2)).toBe(2);
  expect(keptNumbers()).toEqual([1]);
});
