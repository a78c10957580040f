/** One message from daemon to daemon through a broker, all three committed to disk, against that work with nothing around it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeCurves } from "#adapters/curves.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import type { Bench } from "./figure.ts";
import { timed } from "./figure.ts";
import { withHomes } from "./home.ts";

const RUNS = 300;
const WARM_UP = 50;

export const hop: Bench = {
  name: "hop",
  run: () =>
    withHomes(["alice", "bob"], async (alice, bob) => {
      if (!alice || !bob) throw new Error("no homes");
      await alice.verb("workspace", "create", "acme");
      const { url } = JSON.parse(await alice.verb("invite", "create", "--json"));
      await bob.verb("join", url);
      const [near, far] = [await alice.client(), await bob.client()];
      let arrived = (_text: string) => {};
      await far.daemon.feed.open({}, (event) => {
        if (event.type === "message") arrived(event.message.text);
      });
      const bare = bareWork();
      const measured: number[] = [];
      const floor: number[] = [];
      for (let i = 0; i < RUNS + WARM_UP; i++) {
        const text = `message ${i} ${"x".repeat(200)}`;
        const there = new Promise<void>((resolve) => {
          arrived = (got) => got === text && resolve();
        });
        const took = await timed(async () => {
          await near.daemon.message.send({ to: "bob", text });
          await there;
        });
        const least = await timed(bare.once);
        if (i < WARM_UP) continue;
        measured.push(took);
        floor.push(least);
      }
      bare.close();
      near.close();
      far.close();
      const floorName = "3 synced commits, 1 sign, 1 verify";
      return {
        name: "daemon → broker → daemon",
        measured,
        floor,
        floorName,
        target: "≤ 2 ms p50, ≤ 8 ms p99",
      };
    }),
};

function bareWork() {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const schema = [{ name: "t", sql: "CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)" }];
  const databases = ["sender", "broker", "receiver"].map((name) => openSqlite(join(folder, name), schema));
  const seed = new Uint8Array(32).fill(7);
  const bytes = new Uint8Array(900);
  return {
    async once() {
      const key = await nodeCurves.signingPublicKey(seed);
      const signature = await nodeCurves.sign(seed, bytes);
      for (const db of databases) db.transaction(() => db.sql("INSERT INTO t (bytes) VALUES (?)").run(bytes));
      await nodeCurves.verify(key, bytes, signature);
    },
    close() {
      for (const db of databases) db.close();
      rmSync(folder, { recursive: true });
    },
  };
}
