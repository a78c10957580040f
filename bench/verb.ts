/** A warm verb, from spawn to exit, against Node doing nothing. */
import type { Bench } from "./figure.ts";
import { timed } from "./figure.ts";
import { output, withHomes } from "./home.ts";

const RUNS = 40;

export const verb: Bench = {
  name: "verb",
  run: () =>
    withHomes(["alice"], async (alice) => {
      if (!alice) throw new Error("no home");
      const measured: number[] = [];
      const floor: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        floor.push(await timed(() => output(process.execPath, ["-e", "0"])));
        measured.push(await timed(() => alice.verb("peers", "--json")));
      }
      const name = "warm verb (`peers`), spawn to exit";
      return [{ name, measured, floor, floorName: "`node -e 0`", target: "≤ 1.3 × floor" }];
    }),
};
