/** A request to the daemon that asks for little, and its answer, on an open connection; against a bare echo of the same sizes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
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
      const size = JSON.stringify(await client.daemon.session.list({})).length;
      const echo = await bareEcho(size);
      const measured: number[] = [];
      const floor: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        floor.push(await timed(echo.ask));
        measured.push(await timed(() => client.daemon.session.list({})));
      }
      client.close();
      echo.close();
      const floorName = "a bare echo of another process";
      return [{ name: "socket round trip", measured, floor, floorName, target: "≤ 0.15 ms p50" }];
    }),
};

/** Answers whatever it is told with so many bytes. */
const ECHO = `
  import { createServer } from "node:net";
  const answer = Buffer.alloc(Number(process.argv[2]), "x");
  createServer((peer) => peer.on("data", () => peer.write(answer))).listen(process.argv[1], () => console.log("ready"));
`;

/** The other end is another process, as the daemon is. */
async function bareEcho(answerBytes: number) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const path = join(folder, "echo.sock");
  const child = spawn(process.execPath, ["--input-type=module", "--eval", ECHO, path, String(answerBytes)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const near = connect(path);
  await once(near, "connect");
  return {
    async ask() {
      near.write(Buffer.alloc(200, "y"));
      await once(near, "data");
    },
    close() {
      near.destroy();
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true });
    },
  };
}
