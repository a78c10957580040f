import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startChild } from "#test/child.ts";
import { storeSuite } from "../store/store.suite.ts";
import { withReadingThread } from "./reading-thread.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const folder = mkdtempSync(join(tmpdir(), "store-"));
let places = 0;
/** No span of sequences is so short that it isn't read in the thread. */
const NONE = -1;
afterAll(() => rmSync(folder, { recursive: true }));

storeSuite(
  "SQLite store",
  async (place) => openSqliteStore(place),
  () => join(folder, `store-${places++}.db`),
);

storeSuite(
  "SQLite store with a reading thread",
  async (place) => withReadingThread(openSqliteStore(place), place, { few: NONE }),
  () => join(folder, `store-${places++}.db`),
);

test("a commit that resolved is there after the process was killed", async () => {
  const place = join(folder, "killed.db");
  const child = startChild(
    `
    import { openSqliteStore } from "./broker/adapters/sqlite-store.ts";
    const record = { workspace: "w", seq: 1, at: 1, sender: "a", id: "i", label: "chain", bytes: new Uint8Array(3) };
    const workspaces = [{ id: "w", logId: "log" }];
    await openSqliteStore(process.argv[1]).commit({ workspaces, records: [record], invites: [] });
    console.log("committed");
    setInterval(() => {}, 60_000);
    `,
    place,
  );
  expect((await child.lines.next()).value).toBe("committed");
  await child.kill();
  const store = openSqliteStore(place);
  expect(await store.workspace("w")).toEqual({ logId: "log", head: 1, floor: 0 });
  await store.close();
});
