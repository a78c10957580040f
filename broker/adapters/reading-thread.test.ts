import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { commitOf, founding, record } from "../store/store.suite.ts";
import { withReadingThread } from "./reading-thread.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const folder = mkdtempSync(join(tmpdir(), "reading-thread-"));
let places = 0;
afterAll(() => rmSync(folder, { recursive: true }));

const newPlace = () => join(folder, `store-${places++}.db`);
const everyone = { labels: ["*"], sender: "", maxRecords: 1e6, maxBytes: 1e6 };

test("what is committed while pages are read is on one of them, and on one only", async () => {
  const place = newPlace();
  const store = withReadingThread(openSqliteStore(place), place, { few: -1 });
  const last = 3000;
  await store.commit(founding());
  const write = async () => {
    for (let seq = 2; seq <= last; seq++) {
      await store.commit(commitOf([record(seq)]));
      if (seq % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const read = async () => {
    const seen: number[] = [];
    for (let after = 1; after < last; ) {
      const page = await store.select("w", { ...everyone, after });
      seen.push(...page.records.map(({ seq }) => seq));
      after = page.through;
    }
    return seen;
  };
  const [seen] = await Promise.all([read(), write()]);
  expect(seen).toEqual(Array.from({ length: last - 1 }, (_, i) => i + 2));
  await store.close();
});

test("a page's records have their own bytes", async () => {
  const place = newPlace();
  const store = withReadingThread(openSqliteStore(place), place, { few: -1 });
  const bytes = [5, 0, 3].map((length, i) => new Uint8Array(length).fill(i + 1));
  await store.commit(founding(...bytes.map((content, i) => record(i + 2, { bytes: content }))));
  const { records } = await store.select("w", { ...everyone, after: 1 });
  expect(records.map((one) => [...one.bytes])).toEqual(bytes.map((content) => [...content]));
  await store.close();
});

test("a thread that has ended, for it was idle, is begun again by the next read", async () => {
  const place = newPlace();
  const store = withReadingThread(openSqliteStore(place), place, { idleMs: 0 });
  await store.commit(founding(record(2)));
  for (let i = 0; i < 3; i++) {
    expect(await store.history("w", "*", 9, 9)).toHaveLength(1);
    // The thread's own timer is older and shorter, so it has fired when this one does.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await store.close();
});

test("reads that can't be answered fail: the file isn't there, or the store is closed meanwhile", async () => {
  const place = newPlace();
  const store = withReadingThread(openSqliteStore(place), join(folder, "nowhere.db"));
  await expect(store.history("w", "*", 9, 9)).rejects.toThrow();
  await expect(store.history("w", "*", 9, 9)).rejects.toThrow();
  const reading = expect(store.history("w", "*", 9, 9)).rejects.toThrow("closed");
  await store.close();
  await reading;
});
