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

    test("finds an invite's workspace by its code", async () => {
      const store = await open(newPlace());
      await store.commit({ ...founding(), invites: [{ code: "AbCdEf12", workspace: "w" }] });
      expect(await store.inviteWorkspace("AbCdEf12")).toBe("w");
      expect(await store.inviteWorkspace("abcdef12")).toBeNull();
      await store.close();
    });
  });
}
