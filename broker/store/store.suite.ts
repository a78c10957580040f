/** What every store has to do, whatever it is made of. `open` with the same place again finds what was committed. */
import { describe, expect, test } from "vitest";
import type { Commit, NewRecord, Store } from "./store.ts";

const BYTES = Uint8Array.of(1, 2, 3);

export function record(seq: number, changes: Partial<NewRecord> = {}): NewRecord {
  return {
    workspace: "w",
    seq,
    at: 1000 + seq,
    sender: "alice",
    id: `id-${seq}`,
    label: "*",
    bytes: BYTES,
    cell: null,
    ...changes,
  };
}

/** A put by `sender` into the cell `key` of everyone's label. */
export function put(
  seq: number,
  version: number,
  changes: Partial<NewRecord["cell"] & object> = {},
): NewRecord {
  const cell = { key: "k", owner: "", version, hash: `hash-${seq}`, expiresAt: null, tombstone: false };
  return record(seq, { cell: { ...cell, ...changes } });
}

const NOTHING_DUE = { appendsBefore: 0, deadBefore: 0, idsBefore: 0, quotaBytes: Number.MAX_SAFE_INTEGER };

export function commitOf(records: readonly NewRecord[], changes: Partial<Commit> = {}): Commit {
  return { workspaces: [], records, invites: [], ...changes };
}

export const founding = (...records: NewRecord[]): Commit =>
  commitOf([record(1, { label: "chain" }), ...records], { workspaces: [{ id: "w", logId: "log" }] });

export function storeSuite(
  name: string,
  open: (place: string) => Promise<Store>,
  newPlace: () => string,
): void {
  describe(name, () => {
    test("keeps what was committed, and finds it when opened again", async () => {
      const place = newPlace();
      const store = await open(place);
      expect(await store.workspace("w")).toBeNull();
      await store.commit(founding(record(2)));
      await store.close();
      const again = await open(place);
      expect(await again.workspace("w")).toEqual({ logId: "log", head: 2, floor: 0 });
      expect((await again.chain("w")).map(({ seq }) => seq)).toEqual([1]);
      const places = await again.places([
        { workspace: "w", sender: "alice", id: "id-2" },
        { workspace: "w", sender: "bob", id: "id-2" },
      ]);
      expect(places).toEqual([{ seq: 2, at: 1002 }, null]);
      await again.close();
    });

    test("commits all or nothing: a record known already, or a place taken, undoes its whole commit", async () => {
      const store = await open(newPlace());
      await store.commit(founding());
      await expect(store.commit(commitOf([record(2), record(3, { id: "id-2" })]))).rejects.toThrow();
      await expect(store.commit(commitOf([record(2), record(1, { id: "other" })]))).rejects.toThrow();
      expect((await store.workspace("w"))?.head).toBe(1);
      await store.close();
    });

    test("selects what is to a label or by a sender, in order, and says how far it looked", async () => {
      const store = await open(newPlace());
      await store.commit(
        founding(
          record(2, { label: "bob" }),
          record(3, { sender: "bob", label: "x" }),
          record(4, { label: "y" }),
          record(5),
        ),
      );
      const select = (after: number, maxRecords: number) =>
        store.select("w", { after, labels: ["*", "bob"], sender: "bob", maxRecords, maxBytes: 1000 });
      const all = await select(1, 100);
      expect(all.records.map(({ seq }) => seq)).toEqual([2, 3, 5]);
      expect(all.through).toBe(5);
      const first = await select(1, 2);
      expect([first.records.length, first.through]).toEqual([2, 3]);
      expect(await select(5, 10)).toEqual({ records: [], through: 5 });
      await store.close();
    });

    test("ends a page by size, but never before its first record", async () => {
      const store = await open(newPlace());
      await store.commit(founding(record(2, { bytes: new Uint8Array(500) }), record(3), record(4)));
      const page = await store.select("w", {
        after: 1,
        labels: ["*"],
        sender: "",
        maxRecords: 10,
        maxBytes: 100,
      });
      expect([page.records.length, page.through]).toEqual([1, 2]);
      await store.close();
    });

    test("gives a label's history newest first, below a sequence", async () => {
      const store = await open(newPlace());
      await store.commit(founding(record(2), record(3, { label: "x" }), record(4), record(5)));
      expect((await store.history("w", "*", 5, 10)).map(({ seq }) => seq)).toEqual([4, 2]);
      expect((await store.history("w", "*", 6, 1)).map(({ seq }) => seq)).toEqual([5]);
      await store.close();
    });

    test("ends a label's history by size, but never before its first record", async () => {
      const store = await open(newPlace());
      await store.commit(founding(record(2), record(3), record(4, { bytes: new Uint8Array(500) })));
      expect((await store.history("w", "*", 5, 10, 100)).map(({ seq }) => seq)).toEqual([4]);
      expect((await store.history("w", "*", 4, 10, 4)).map(({ seq }) => seq)).toEqual([3, 2]);
      await store.close();
    });

    test("a put takes the place of the one before; the identity of that one stays known", async () => {
      const store = await open(newPlace());
      await store.commit(founding(put(2, 1), record(3)));
      await store.commit(commitOf([put(4, 2)]));
      const [cell] = await store.cells([{ workspace: "w", label: "*", key: "k", owner: "" }]);
      expect(cell).toMatchObject({
        seq: 4,
        at: 1004,
        version: 2,
        hash: "hash-4",
        expiresAt: null,
        tombstone: false,
      });
      const selection = { after: 0, labels: ["*"], sender: "", maxRecords: 10, maxBytes: 1000 };
      const { records, through } = await store.select("w", selection);
      expect([records.map(({ seq }) => seq), through]).toEqual([[3, 4], 4]);
      expect(await store.places([{ workspace: "w", sender: "alice", id: "id-2" }])).toEqual([
        { seq: 2, at: 1002 },
      ]);
      expect([await store.idAt("w", 2), await store.idAt("w", 4)]).toEqual([null, "id-4"]);
      await store.close();
    });

    test("cells of other labels, keys and owners are others", async () => {
      const store = await open(newPlace());
      const own = (owner: string) => ({ workspace: "w", label: "*", key: "k", owner });
      await store.commit(founding(put(2, 1), put(3, 1, { owner: "alice" }), put(4, 1, { key: "l" })));
      const found = await store.cells([own(""), own("alice"), own("bob"), { ...own(""), key: "l" }]);
      expect(found.map((cell) => cell?.seq ?? null)).toEqual([2, 3, null, 4]);
      await store.close();
    });

    test("the head outlives the newest record: no sequence is given twice", async () => {
      const place = newPlace();
      const store = await open(place);
      await store.commit(founding(record(2), put(3, 1, { tombstone: true })));
      await store.retain({ ...NOTHING_DUE, deadBefore: 5000 });
      await store.close();
      const again = await open(place);
      expect((await again.workspace("w"))?.head).toBe(3);
      expect(await again.cells([{ workspace: "w", label: "*", key: "k", owner: "" }])).toEqual([null]);
      await again.close();
    });

    test("retention by age takes appends, and neither the chain nor live values", async () => {
      const store = await open(newPlace());
      await store.commit(founding(record(2), put(3, 1), record(4), record(5)));
      const { floors } = await store.retain({ ...NOTHING_DUE, appendsBefore: 1005 });
      expect(floors).toEqual(new Map([["w", 4]]));
      expect(await store.workspace("w")).toEqual({ logId: "log", head: 5, floor: 4 });
      const selection = { after: 0, labels: ["*", "chain"], sender: "", maxRecords: 10, maxBytes: 1000 };
      const { records } = await store.select("w", selection);
      expect(records.map(({ seq }) => seq)).toEqual([1, 3, 5]);
      expect(await store.places([{ workspace: "w", sender: "alice", id: "id-2" }])).toEqual([
        { seq: 2, at: 1002 },
      ]);
      await store.retain({ ...NOTHING_DUE, idsBefore: 5000 });
      expect(await store.places([{ workspace: "w", sender: "alice", id: "id-2" }])).toEqual([null]);
      await store.close();
    });

    test("retention by quota takes the oldest until the rest fits", async () => {
      const store = await open(newPlace());
      const big = (seq: number) => record(seq, { bytes: new Uint8Array(100) });
      await store.commit(founding(big(2), big(3), big(4)));
      const { floors } = await store.retain({ ...NOTHING_DUE, quotaBytes: 210 });
      expect(floors.get("w")).toBe(2);
      expect((await store.retain({ ...NOTHING_DUE, quotaBytes: 210 })).floors.size).toBe(0);
      await store.close();
    });

    test("what has expired goes like a tombstone; what lives on stays", async () => {
      const store = await open(newPlace());
      await store.commit(
        founding(put(2, 1, { key: "a", expiresAt: 2000 }), put(3, 1, { key: "b", expiresAt: 9000 })),
      );
      await store.retain({ ...NOTHING_DUE, deadBefore: 5000 });
      const names = ["a", "b"].map((key) => ({ workspace: "w", label: "*", key, owner: "" }));
      expect((await store.cells(names)).map((cell) => cell?.seq ?? null)).toEqual([null, 3]);
      await store.close();
    });

    test("retention takes a bite at a time and says when there is more", async () => {
      const store = await open(newPlace());
      const many = Array.from({ length: 1200 }, (_, i) => record(i + 2));
      await store.commit(founding(...many));
      let bites = 1;
      while ((await store.retain({ ...NOTHING_DUE, appendsBefore: 1_000_000 })).more) bites++;
      expect(bites).toBeGreaterThan(2);
      expect((await store.workspace("w"))?.floor).toBe(1201);
      await store.close();
    });

    test("a guard's predecessors stay in their places for good; the newest is the guard, after a restart too", async () => {
      const place = newPlace();
      const store = await open(place);
      const guard = (seq: number, version: number) => put(seq, version, { key: "*" });
      await store.commit(founding(guard(2, 1), put(3, 1), guard(4, 2)));
      await store.commit({ workspaces: [], records: [guard(5, 3), put(6, 2)], invites: [] });
      await store.retain({ ...NOTHING_DUE, appendsBefore: 1_000_000, deadBefore: 1_000_000 });
      await store.close();
      const again = await open(place);
      expect((await again.history("w", "*", 100, 10)).map(({ seq }) => seq)).toEqual([6, 5, 4, 2]);
      expect((await again.guards("w")).map(({ seq }) => seq)).toEqual([5]);
      const [held] = await again.cells([{ workspace: "w", label: "*", key: "*", owner: "" }]);
      expect(held?.seq).toBe(5);
      await again.close();
    });

    test("keeps who asks to join, oldest first, one for each user, until it is their time to go", async () => {
      const store = await open(newPlace());
      await store.putJoinRequest("AbCdEf12", { user: "bob", at: 2, request: "bob's first" });
      await store.putJoinRequest("AbCdEf12", { user: "carol", at: 3, request: "carol's" });
      await store.putJoinRequest("Another1", { user: "bob", at: 1, request: "for elsewhere" });
      await store.putJoinRequest("AbCdEf12", { user: "bob", at: 4, request: "bob's second" });
      expect(await store.joinRequests("AbCdEf12")).toEqual([
        { user: "carol", at: 3, request: "carol's", answer: null },
        { user: "bob", at: 4, request: "bob's second", answer: null },
      ]);
      await store.dropJoinRequests(3);
      expect(await store.joinRequests("Another1")).toEqual([]);
      expect(await store.joinRequests("AbCdEf12")).toHaveLength(2);
      await store.close();
    });

    test("what was answered stays as it was answered", async () => {
      const store = await open(newPlace());
      await store.putJoinRequest("AbCdEf12", { user: "bob", at: 1, request: "bob's" });
      await store.answerJoinRequest("AbCdEf12", "bob", "come in");
      await store.putJoinRequest("AbCdEf12", { user: "bob", at: 2, request: "somebody else's" });
      const bobs = { user: "bob", at: 1, request: "bob's", answer: "come in" };
      expect(await store.joinRequests("AbCdEf12")).toEqual([bobs]);
      await store.close();
    });

    test("keeps whom each member has blocked, and since when; all of a member's are replaced together", async () => {
      const place = newPlace();
      const store = await open(place);
      await store.commit(founding());
      const blocks = async (from: Store) =>
        (await from.blocks("w"))
          .map(({ member, blocked, since }) => `${member}>${blocked}@${since}`)
          .toSorted();
      expect(await blocks(store)).toEqual([]);
      await store.putBlocks("w", "alice", [
        { blocked: "bob", since: 1 },
        { blocked: "carol", since: 2 },
      ]);
      await store.putBlocks("w", "dave", [{ blocked: "bob", since: 3 }]);
      await store.putBlocks("w", "alice", [{ blocked: "carol", since: 2 }]);
      await store.close();
      const again = await open(place);
      expect(await blocks(again)).toEqual(["alice>carol@2", "dave>bob@3"]);
      await again.putBlocks("w", "alice", []);
      expect(await blocks(again)).toEqual(["dave>bob@3"]);
      expect(await again.blocks("another")).toEqual([]);
      await again.close();
    });

    test("finds an invite's workspace by its code", async () => {
      const store = await open(newPlace());
      await store.commit({ ...founding(), invites: [{ code: "AbCdEf12", workspace: "w" }] });
      expect(await store.inviteWorkspace("AbCdEf12")).toBe("w");
      expect(await store.inviteWorkspace("abcdef12")).toBeNull();
      await store.close();
    });
  });
}
