/** From a link to the first message in the log, with a member online, by two verbs; against two verbs that only look. */
import { type Bench, timed } from "./figure.ts";
import { withHomes } from "./home.ts";

const RUNS = 20;

export const join: Bench = {
  name: "join",
  run: () =>
    withHomes(["alice", "bob"], async (alice, bob) => {
      if (!alice || !bob) throw new Error("no homes");
      const measured: number[] = [];
      const floor: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        const workspace = ["--workspace", `team-${i}`];
        await alice.verb("workspace", "create", `team-${i}`);
        const { url } = JSON.parse(await alice.verb("invite", "create", ...workspace, "--json"));
        floor.push(
          await timed(async () => {
            await bob.verb("status");
            await bob.verb("status");
          }),
        );
        measured.push(
          await timed(async () => {
            const { slug } = JSON.parse(await bob.verb("join", url, "--json"));
            await bob.verb("send", "*", "hello", "--workspace", slug, "--wait", "stored");
          }),
        );
      }
      const name = "`join` and `send --wait stored`, spawn to exit";
      return [{ name, measured, floor, floorName: "`status`, twice", target: "≤ 1,000 ms" }];
    }),
};
