/** Words found among 100,000 messages, against finding them without ranking. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "#adapters/sqlite.ts";
import type { Database } from "#protocol/ports.ts";
import { message } from "#sdk/features/message.ts";
import { rowsLike } from "#sdk/messages/conversation.ts";
import { keepWords } from "#sdk/messages/words.ts";
import { openReplica } from "#sdk/replica/replica.ts";
import { type Bench, timed } from "./figure.ts";

const MESSAGES = 100_000;
const RUNS = 20;
/** In every second message, in every fifth, two together, the beginning of many, one that is rare. */
const QUERIES = ["the", "build", "the build", "pay", "word77"];

export const search: Bench = {
  name: "search",
  async run() {
    const folder = mkdtempSync(join(tmpdir(), "bench-"));
    const { db } = openReplica((name, migrations) => openSqlite(join(folder, name), migrations), "messages");
    db.exec(message.tables);
    fill(db);
    const measured: number[] = [];
    const floor: number[] = [];
    const unranked = db.sql("SELECT rowid FROM message_words WHERE message_words MATCH ? LIMIT 50");
    for (let i = 0; i < RUNS; i++) {
      for (const query of QUERIES) {
        floor.push(await timed(() => unranked.all(`"${query}"`)));
        measured.push(await timed(() => rowsLike(db, query, 50)));
      }
    }
    db.close();
    rmSync(folder, { recursive: true, force: true });
    const floorName = "the same, unranked";
    return [{ name: "search in 100,000 messages", measured, floor, floorName, target: "≤ 10 ms" }];
  },
};

function fill(db: Database): void {
  const insert = db.sql(
    `INSERT INTO messages (sender, id, label, to_text, text, mentioned, incoming, priority, sent_at)
     VALUES ('alice', ?, 'bob', 'bob', ?, 0, 1, 'next', 0)`,
  );
  for (let from = 0; from < MESSAGES; from += 1000) {
    db.transaction(() => {
      for (let i = from; i < from + 1000; i++) {
        insert.run(String(i), textOf(i));
      }
      while (keepWords(db));
    });
  }
}

/** Common words and rare ones, the same in every run. */
function textOf(i: number): string {
  const rare = Array.from({ length: 12 }, (_, k) => `word${(i * 7919 + k * 104_729) % 8000}`);
  const common = [i % 2 ? "the" : "a", i % 5 ? "green" : "build", i % 3 ? "payments" : "payroll"];
  return [...common, ...rare].join(" ");
}
