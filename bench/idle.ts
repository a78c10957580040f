/** A daemon with ten workspaces that nothing happens in: its memory, and its share of a processor. */
import { spawn } from "node:child_process";
import type { Bench } from "./figure.ts";
import { withHomes } from "./home.ts";
import { memoryOf, processorMs } from "./memory.ts";

const WORKSPACES = 10;
const SETTLE_MS = 4000;
const WATCHED_MS = 6000;
const MB = 1e6;

export const idle: Bench = {
  name: "idle",
  run: () =>
    withHomes(["alice"], async (home) => {
      if (!home) throw new Error("no home");
      for (let i = 0; i < WORKSPACES; i++) await home.verb("workspace", "create", `team ${i}`);
      const { daemon } = JSON.parse(await home.verb("status", "--json"));
      return withNode(async (bare) => {
        await pause(SETTLE_MS);
        const before = { own: processorMs(daemon.pid), bare: processorMs(bare) };
        await pause(WATCHED_MS);
        const share = (pid: number, from: number) => ((processorMs(pid) - from) / WATCHED_MS) * 100;
        const floorName = "a Node that does nothing";
        return [
          {
            name: "daemon with ten idle workspaces, resident",
            unit: "MB",
            measured: [memoryOf(daemon.pid).resident / MB],
            floor: [memoryOf(bare).resident / MB],
            floorName,
            target: "≤ 80 MB",
          },
          {
            name: "the same, its processor",
            unit: "% of a core",
            measured: [share(daemon.pid, before.own)],
            floor: [share(bare, before.bare)],
            floorName,
            target: "none",
          },
        ];
      });
    }),
};

async function withNode<T>(work: (pid: number) => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  try {
    return await work(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
