/**
 * A daemon that was away comes back to many records: how many a second it verifies, opens and commits, from its first
 * commit to its last. Each round is its home as it was when it left. The floor is one verification a record and bare rows.
 */
import { cpSync } from "node:fs";
import { bareWork } from "./bare-commits.ts";
import { type Bench, rateOf, until } from "./figure.ts";
import { homeAt } from "./home.ts";
import { replicaOf, withPair } from "./pair.ts";

const RECORDS = 6000;
const ROUNDS = 3;
const AT_ONCE = 200;
/** As many as the broker pushes without credit. */
const BATCH = 256;

export const daemonCatchUp: Bench = {
  name: "daemon-catch-up",
  run: () =>
    withPair(async ({ alice, bob, workspace }) => {
      await bob.verb("down");
      const client = await alice.client();
      let left = RECORDS;
      const say = async () => {
        while (left-- > 0) await client.daemon.message.send({ to: "bob", text: "x".repeat(200) });
      };
      await Promise.all(Array.from({ length: AT_ONCE }, say));
      const near = replicaOf(alice, workspace);
      await until(() => near.outbox() === 0, "the broker to have everything");
      const bare = await bareWork();
      const measured: number[] = [];
      const floor: number[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        const home = `${bob.path}-${i}`;
        cpSync(bob.path, home, { recursive: true });
        measured.push(await caughtUp(home, workspace));
        floor.push(
          await rateOf(RECORDS, async () => {
            for (let k = 0; k < RECORDS; k++) {
              await bare.verify();
              if (k % BATCH === 0) bare.commit(BATCH);
            }
          }),
        );
      }
      for (const one of [client, near, bare]) one.close();
      await bob.verb("up");
      return [
        {
          name: "records that a returning daemon verifies and commits",
          unit: "/s",
          measured,
          floor,
          floorName: `verified, and committed bare by ${BATCH}`,
          target: "≥ 4,500 /s",
        },
      ];
    }),
};

async function caughtUp(path: string, workspace: string): Promise<number> {
  const home = homeAt(path);
  const replica = replicaOf(home, workspace);
  const before = replica.messages();
  try {
    const up = home.verb("up");
    await until(() => replica.messages() > before, "the first records");
    const first = replica.messages();
    const start = performance.now();
    await until(() => replica.messages() >= before + RECORDS, "the last record");
    const seconds = (performance.now() - start) / 1000;
    await up;
    return (before + RECORDS - first) / seconds;
  } finally {
    replica.close();
    await home.verb("down");
  }
}
