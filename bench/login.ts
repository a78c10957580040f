/** `login` on a machine where nothing of claudemesh has run yet, against Argon2id alone. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodeStretch } from "#adapters/stretch.ts";
import { utf8 } from "#protocol/bytes.ts";
import { withBroker } from "./broker.ts";
import { type Bench, timed } from "./figure.ts";
import { homeAt, withHomes } from "./home.ts";

const RUNS = 20;
const PASSPHRASE = "correct horse battery staple";

export const login: Bench = {
  name: "login",
  run: () =>
    withBroker(
      async () => {},
      (broker) =>
        withHomes(["alice"], async (alice) => {
          if (!alice) throw new Error("no home");
          const file = `${alice.path}-passphrase`;
          writeFileSync(file, PASSPHRASE);
          const where = ["--broker", broker.url, "--email", "alice@example.org", "--passphrase-file", file];
          await alice.verb("login", "--register", ...where);
          await alice.verb("workspace", "create", "acme");
          const measured: number[] = [];
          const floor: number[] = [];
          for (let i = 0; i < RUNS; i++) {
            floor.push(await timed(() => nodeStretch(utf8(PASSPHRASE), new Uint8Array(32).fill(i))));
            const machine = homeAt(join(alice.path, "..", `machine-${i}`));
            measured.push(await timed(() => machine.verb("login", ...where)));
            await machine.verb("down");
          }
          const name = "`login` on a new machine, its daemon's start included";
          return [{ name, measured, floor, floorName: "Argon2id", target: "≤ 2,000 ms" }];
        }),
    ),
};
