import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { systemRandom } from "#adapters/clock.ts";
import { codeOf } from "#test/code-of.ts";
import { commitOf, founding, record } from "../store/store.suite.ts";
import { backUp, markRestored } from "./backup.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const folder = mkdtempSync(join(tmpdir(), "backup-"));
let places = 0;
afterAll(() => rmSync(folder, { recursive: true }));

async function filled() {
  const path = join(folder, `store-${places++}.db`);
  const store = openSqliteStore(path);
  await store.commit(founding(record(2), record(3)));
  return { path, store, file: `${path}.backup` };
}

test("a backup is the log at one moment, while it is written to", async () => {
  const { path, store, file } = await filled();
  backUp(path, file);
  await store.commit(commitOf([record(4)]));
  const copy = openSqliteStore(file);
  expect(await copy.workspace("w")).toMatchObject({ logId: "log", head: 3 });
  expect((await copy.history("w", "*", 9, 9)).map(({ seq }) => seq)).toEqual([3, 2]);
  expect(lstatSync(file).mode & 0o777).toBe(0o600);
  await Promise.all([store.close(), copy.close()]);
});

test("a backup overwrites nothing, and leaves nothing half-done behind", async () => {
  const { path, store, file } = await filled();
  backUp(path, file);
  expect(codeOf(() => backUp(path, file))).toBe("conflict");
  expect(codeOf(() => backUp(join(folder, "nowhere.db"), `${file}-2`))).toBe("not_found");
  expect(() => backUp(path, join(folder, "no", "such", "folder"))).toThrow();
  expect(existsSync(`${file}-2`)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  await store.close();
});

test("a restored log is another log with the same records", async () => {
  const { path, store, file } = await filled();
  await store.commit(
    commitOf([record(1, { workspace: "v", label: "chain" })], { workspaces: [{ id: "v", logId: "v log" }] }),
  );
  backUp(path, file);
  await store.close();
  expect(markRestored(file, systemRandom)).toBe(2);
  const restored = openSqliteStore(file);
  const [one, other] = [await restored.workspace("w"), await restored.workspace("v")];
  expect([one?.head, other?.head]).toEqual([3, 1]);
  expect(new Set([one?.logId, other?.logId, "log", "v log"]).size).toBe(4);
  await restored.close();
});
