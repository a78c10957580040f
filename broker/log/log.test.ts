import { expect, test } from "vitest";
import { systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { MeshError } from "#protocol/errors.ts";
import { decodeRecord, encodeHeader, encodeRecord, type Header, recordHash } from "#protocol/record.ts";
import { found } from "#test/chain-builder.ts";
import { person } from "#test/person.ts";
import { openSqliteStores } from "../adapters/sqlite-stores.ts";
import { createBus, type News } from "../bus.ts";
import type { Commit, Store } from "../store/store.ts";
import type { Author } from "./judge.ts";
import { createLog, type Outcome } from "./log.ts";

/** A quarter of an hour after the ids of the chain builder's entries. */
const NOW = 0x0190_0010_0000;

/** A founded workspace on real SQLite, with a look at each commit and a way to make one fail. */
async function founded() {
  const alice = await person("alice");
  const chain = await found(alice);
  await chain.epoch(alice);
  const { store: sqlite, accounts } = openSqliteStores(":memory:");
  const commits: Commit[] = [];
  let failure: Error | null = null;
  const store: Store = {
    ...sqlite,
    async commit(commit) {
      commits.push(commit);
      if (failure) throw failure;
      await sqlite.commit(commit);
    },
  };
  const fatal: unknown[] = [];
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const world = { clock: { now: () => NOW }, timers: systemTimers, random: systemRandom, curves: nodeCurves };
  const bus = createBus();
  const log = createLog({ ...world, store, accounts, bus, log: silent, fatal: (error) => fatal.push(error) });
  const opened = await log.open(chain.workspace);
  const author: Author = { member: alice.id, dev: alice.device.id, standing: "founding", halted: null };
  const append = (bytes: Uint8Array) =>
    new Promise<Outcome>((resolve) => log.append(opened, author, decodeRecord(bytes), resolve));
  for (const { bytes } of chain.steps) {
    await append(bytes);
    author.standing = "member";
  }
  let minted = 0;
  const said = (changes: Partial<Header> = {}) => {
    const time = NOW.toString(16).padStart(12, "0");
    const id = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${(minted++).toString(16).padStart(12, "0")}`;
    const head = opened.chain?.head ?? null;
    const header = {
      id,
      from: alice.id,
      dev: alice.device.id,
      to: "*" as const,
      n: 1,
      epoch: 0,
      head,
      alg: "label" as const,
      kid: "",
    };
    return encodeRecord(encodeHeader({ ...header, ...changes }), new Uint8Array(64), new Uint8Array(300));
  };
  commits.length = 0;
  const fail = (error: Error | null) => {
    failure = error;
  };
  const reopened = () =>
    createLog({ ...world, store, accounts, bus, log: silent, fatal: (error) => fatal.push(error) }).open(
      chain.workspace,
    );
  return { opened, append, said, commits, fatal, bus, fail, reopened };
}

const kinds = (outcomes: readonly Outcome[]) =>
  outcomes.map((one) => (one.type === "refused" ? one.error.code : one.type));

test("records that arrive together share commits of at most 50, in order, and news follow each commit", async () => {
  const { opened, append, said, commits, bus } = await founded();
  const heard: number[] = [];
  bus.subscribe(opened.id, (news: News) => {
    if (news.type === "committed") heard.push(...news.records.map(({ seq }) => seq));
  });
  const before = opened.head;
  const outcomes = await Promise.all(Array.from({ length: 120 }, () => append(said())));
  expect(commits.map(({ records }) => records.length)).toEqual([50, 50, 20]);
  const places = outcomes.map((one) => (one.type === "stored" ? one.place.seq : 0));
  expect(places).toEqual(Array.from({ length: 120 }, (_, i) => before + 1 + i));
  expect(heard).toEqual(places);
});

test("a record sent again has its first place, within a batch and later, and is stored once", async () => {
  const { append, said, commits } = await founded();
  const record = said();
  const [first, second] = await Promise.all([append(record), append(record)]);
  expect(second).toEqual(first);
  expect(await append(record)).toEqual(first);
  expect(commits).toHaveLength(1);
});

test("after a refusal that can pass, what follows is dropped until that record is back", async () => {
  const { append, said } = await founded();
  const early = said({ epoch: 3 });
  const [one, two, three] = [said(), said(), said()];
  expect(kinds(await Promise.all([append(one), append(early), append(two)]))).toEqual([
    "stored",
    "stale_epoch",
    "dropped",
  ]);
  expect(kinds([await append(three)])).toEqual(["dropped"]);
  expect(kinds([await append(early)])).toEqual(["stale_epoch"]);
});

test("a full disk refuses the batch for now, and memory stays where the disk is", async () => {
  const { opened, append, said, fail, fatal } = await founded();
  const before = opened.head;
  fail(new MeshError("storage_full", "full", ""));
  const record = said();
  expect(kinds(await Promise.all([append(record), append(said())]))).toEqual(["storage_full", "dropped"]);
  expect(opened.head).toBe(before);
  fail(null);
  expect(await append(record)).toMatchObject({ type: "stored", place: { seq: before + 1 } });
  expect(fatal).toEqual([]);
});

test("any other failure of storage is fatal", async () => {
  const { append, said, fail, fatal } = await founded();
  const broken = new Error("input/output error");
  fail(broken);
  append(said());
  await expect.poll(() => fatal).toEqual([broken]);
});

const ROOM = "AAAAAAAAAAAAAAAAAAAAAA";

/** A label's guard at a generation; `before`: the guard that it replaces. */
async function guarding() {
  const world = await founded();
  const guard = (generation: number, version: number, before: Uint8Array | null, changes = {}) => {
    const expect = before && recordHash(before);
    const put = { key: ROOM, version, expect, own: false, ttl: null, tombstone: false, ...changes };
    return world.said({ to: ROOM, n: 0, kid: String(generation), put });
  };
  const told = (kid: string) => world.said({ to: ROOM, kid });
  const first = guard(0, 1, null);
  return { ...world, guard, told, first };
}

test("a label with a guard takes what is sealed under the guard's generation, within a batch and after a restart", async () => {
  const { append, said, guard, told, first, reopened } = await guarding();
  const second = guard(1, 2, first);
  const sent = [first, told("0"), second, told("1"), said()];
  expect(kinds(await Promise.all(sent.map(append)))).toEqual(Array(5).fill("stored"));
  expect(kinds([await append(told("0"))])).toEqual(["stale_epoch"]);
  expect((await reopened()).guards).toEqual(new Map([[ROOM, 1]]));
});

test("a record that waits for the guard's generation doesn't hold the next guard back", async () => {
  const { append, said, guard, told, first } = await guarding();
  const early = told("1");
  expect(kinds(await Promise.all([first, early, said(), guard(1, 2, first)].map(append)))).toEqual([
    "stored",
    "stale_epoch",
    "dropped",
    "stored",
  ]);
  expect(kinds(await Promise.all([append(early), append(said())]))).toEqual(["stored", "stored"]);
});

test("a guard goes on by one generation, never back, and doesn't end", async () => {
  const { append, guard, first } = await guarding();
  await append(first);
  const second = guard(1, 2, first);
  await append(second);
  const bad = [guard(0, 3, second), guard(3, 3, second), guard(2, 3, second, { ttl: 1 })];
  bad.push(guard(2, 3, second, { tombstone: true }));
  expect(kinds(await Promise.all(bad.map(append)))).toEqual(Array(4).fill("bad_record"));
  expect(kinds([await append(guard(2, 3, first))])).toEqual(["conflict"]);
});

test("a label that is in use can't be guarded afterwards, nor take a generation without a guard", async () => {
  const { append, said, told, first } = await guarding();
  expect(kinds([await append(told("0"))])).toEqual(["bad_record"]);
  expect(kinds(await Promise.all([append(said({ to: ROOM })), append(first)]))).toEqual([
    "stored",
    "not_allowed",
  ]);
  expect(kinds([await append(first)])).toEqual(["not_allowed"]);
});
