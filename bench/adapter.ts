/** The adapter, as Claude Code starts it beside a session: until `initialize` is answered, and what it keeps in memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { launcherPath } from "#adapters/start-daemon.ts";
import type { Bench } from "./figure.ts";
import { type Home, withHomes } from "./home.ts";
import { memoryOf } from "./memory.ts";

const RUNS = 20;
const SETTLE_MS = 300;
const MB = 1e6;

const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1" } },
});
/** Answers whatever it is told, and stays. */
const BARE = 'process.stdin.on("data", () => console.log("{}"))';

export const adapter: Bench = {
  name: "adapter",
  run: () =>
    withHomes(["alice"], async (home) => {
      if (!home) throw new Error("no home");
      await home.verb("workspace", "create", "acme");
      const times: number[] = [];
      const leastTimes: number[] = [];
      const memory: number[] = [];
      const leastMemory: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        const bare = await start(process.execPath, ["-e", BARE], home, i);
        const own = await start(launcherPath, ["mcp-serve"], home, i);
        leastTimes.push(bare.took);
        times.push(own.took);
        leastMemory.push(bare.private / MB);
        memory.push(own.private / MB);
      }
      const floorName = "a bare Node that answers a line";
      return [
        {
          name: "adapter's answer to `initialize`",
          measured: times,
          floor: leastTimes,
          floorName,
          target: "≤ 90 ms",
        },
        {
          name: "adapter's private memory, attached",
          unit: "MB",
          measured: memory,
          floor: leastMemory,
          floorName,
          target: "≤ 20 MB",
        },
      ];
    }),
};

/** What it tells of itself, before it has a session. */
export async function initialized(home: Home): Promise<{ instructions: string; capabilities: object }> {
  const env = { ...process.env, CLAUDEMESH_HOME: home.path, CLAUDE_CODE_SESSION_ID: "" };
  const child = spawn(launcherPath, ["mcp-serve"], { stdio: ["pipe", "pipe", "inherit"], env });
  const exited = once(child, "exit");
  child.stdin.write(`${INITIALIZE}\n`);
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  child.stdin.end();
  await exited;
  return JSON.parse(String(line)).result;
}

async function start(command: string, args: readonly string[], home: Home, number: number) {
  const env = {
    ...process.env,
    CLAUDEMESH_HOME: home.path,
    CLAUDE_CODE_SESSION_ID: `session-${number}`,
    CLAUDE_CODE_MESSAGING_SOCKET: "/nowhere/inbox.sock",
  };
  const starting = performance.now();
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env });
  const exited = once(child, "exit");
  child.stdin.write(`${INITIALIZE}\n`);
  await once(createInterface({ input: child.stdout }), "line");
  const took = performance.now() - starting;
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  // The launcher becomes the adapter by exec: they have one id.
  const { private: own } = memoryOf(child.pid ?? 0);
  child.kill("SIGKILL");
  await exited;
  return { took, private: own };
}
