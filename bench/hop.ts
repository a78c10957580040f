/** One message from daemon to daemon through a broker, all three committed to disk, against that work with nothing around it. */
import { bareWork } from "./bare-commits.ts";
import { type Bench, timed } from "./figure.ts";
import { withPair } from "./pair.ts";

const RUNS = 300;
const WARM_UP = 50;

export const hop: Bench = {
  name: "hop",
  run: () =>
    withPair(async ({ alice, bob }) => {
      const [near, far] = [await alice.client(), await bob.client()];
      let arrived = (_text: string) => {};
      await far.daemon.feed.open({}, (event) => {
        if (event.type === "message") arrived(event.message.text);
      });
      const bare = await bareWork();
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
        const least = await timed(async () => {
          await bare.sign();
          for (const _ of ["sender", "broker", "receiver"]) bare.commit(1);
          await bare.verify();
        });
        if (i < WARM_UP) continue;
        measured.push(took);
        floor.push(least);
      }
      bare.close();
      near.close();
      far.close();
      const floorName = "3 synced commits, 1 sign, 1 verify";
      const target = "≤ 2 ms p50, ≤ 8 ms p99";
      return [{ name: "daemon → broker → daemon, three commits", measured, floor, floorName, target }];
    }),
};
