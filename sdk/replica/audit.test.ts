// What doesn't add up in the numbers of a replica's records.
import { expect, test } from "vitest";
import { openSqlite } from "#adapters/sqlite.ts";
import { findingsOf } from "./audit.ts";
import { openReplica } from "./replica.ts";

type Row = { seq: number; n: number; dev?: string; label?: string; sender?: string };

/** A replica that holds these records. */
function holding(...rows: readonly Row[]) {
  const replica = openReplica((_, migrations) => openSqlite(":memory:", migrations), "w");
  for (const { seq, n, dev = "d", label = "*", sender = "bob" } of rows) {
    replica.db
      .sql(
        `INSERT INTO records (seq, sender, dev, id, at, label, n, status, bytes)
         VALUES (?, ?, ?, ?, 0, ?, ?, 'applied', x'')`,
      )
      .run(seq, sender, dev, `id-${seq}`, label, n);
  }
  return replica;
}

const told = (replica: ReturnType<typeof holding>) =>
  findingsOf(replica, "me", []).map(({ type, count, detail }) => `${count} ${type}: ${detail}`);

test("numbers without a gap are nothing to tell, wherever they begin", () => {
  expect(told(holding({ seq: 5, n: 3 }, { seq: 8, n: 4 }, { seq: 9, n: 1, dev: "e" }))).toEqual([]);
});

test("a gap is withheld, with how many and which", () => {
  expect(told(holding({ seq: 5, n: 1 }, { seq: 8, n: 2 }, { seq: 9, n: 6 }))).toEqual([
    "3 withheld: numbers 3 to 5",
  ]);
});

test("two records of one number are forked", () => {
  expect(told(holding({ seq: 5, n: 1 }, { seq: 8, n: 1 }, { seq: 9, n: 2 }))).toEqual([
    "1 forked: two records are number 1",
  ]);
});

test("what retention took before it was asked for has expired", () => {
  const replica = holding({ seq: 5, n: 1 }, { seq: 90, n: 8 });
  replica.db.sql("INSERT INTO missed (after_seq, floor) VALUES (7, 80)").run();
  expect(told(replica)).toEqual(["6 expired: numbers 2 to 7"]);
  const elsewhere = holding({ seq: 5, n: 1 }, { seq: 6, n: 3 });
  elsewhere.db.sql("INSERT INTO missed (after_seq, floor) VALUES (7, 80)").run();
  expect(told(elsewhere)).toEqual(["1 withheld: number 2"]);
});

test("of a topic only what was followed has to be whole; of my own all", () => {
  const replica = holding(
    { seq: 5, n: 1, label: "t" },
    { seq: 8, n: 5, label: "t" },
    { seq: 9, n: 6, label: "t" },
    { seq: 10, n: 1, label: "t", sender: "me", dev: "mine" },
    { seq: 11, n: 3, label: "t", sender: "me", dev: "mine" },
  );
  const follow = (since: number, joined: number) =>
    replica.db
      .sql("INSERT OR REPLACE INTO labels (label, name, since, complete, joined) VALUES ('t', 't', ?, 0, ?)")
      .run(since, joined);
  follow(7, 1);
  expect(told(replica)).toEqual(["1 withheld: number 2"]);
  follow(0, 1);
  expect(told(replica)).toEqual(["3 withheld: numbers 2 to 4", "1 withheld: number 2"]);
  follow(0, 0);
  expect(told(replica)).toEqual(["1 withheld: number 2"]);
});
