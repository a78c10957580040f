/** A request to the daemon and its answer on an open connection, against a bare echo of the same sizes. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "./figure.ts";
import { timed } from "./figure.ts";
import { withHomes } from "./home.ts";

const RUNS = 2000;

export const socket: Bench = {
  name: "socket",
  run: () =>
    withHomes(["alice"], async (alice) => {
      if (!alice) throw new Error("no home");
      const client = await alice.client();
      const size = JSON.stringify(await client.daemon.account.whoami({})).length;
      const echo = await bareEcho(size);
      const measured: number[] = [];
      const floor: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        floor.push(await timed(echo.ask));
        measured.push(await timed(() => client.daemon.account.whoami({})));
      }
      client.close();
      echo.close();
      return {
        name: "socket round trip",
        measured,
        floor,
        floorName: "bare net echo",
        target: "≤ 0.15 ms p50",
      };
    }),
};

/** The other end is this same process: what is left is the socket itself. */
async function bareEcho(answerBytes: number) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const path = join(folder, "echo.sock");
  const answer = Buffer.alloc(answerBytes, "x");
  const server = createServer((peer) => peer.on("data", () => peer.write(answer))).listen(path);
  await once(server, "listening");
  const near = connect(path);
  await once(near, "connect");
  return {
    async ask() {
      near.write(Buffer.alloc(200, "y"));
      await once(near, "data");
    },
    close() {
      near.destroy();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
