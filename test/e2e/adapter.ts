/** The adapter as Claude Code starts it: over stdio, with a session's environment. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { eventually, type Person } from "./world.ts";

export type Adapter = {
  initialized: { result: { instructions: string; capabilities: object } };
  exited: Promise<number>;
  closeStdin(): void;
};

/** Resolves once the session is in the person's own `peers`. */
export async function startAdapter(
  person: Person,
  { session, folder }: { session: string; folder: string },
): Promise<Adapter> {
  mkdirSync(folder, { recursive: true });
  const child = spawn(launcherPath, ["mcp-serve"], {
    cwd: folder,
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH ?? "",
      HOME: person.home,
      CLAUDEMESH_HOME: person.home,
      CLAUDE_CODE_SESSION_ID: session,
      CLAUDE_CODE_MESSAGING_SOCKET: `${folder}/inbox.sock`,
      CLAUDE_PROJECT_DIR: folder,
    },
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const exited = once(child, "exit").then(([code]) => Number(code));
  const lines = createInterface({ input: child.stdout });
  const params = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  };
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`);
  const [line] = await once(lines, "line");
  await eventually(
    async () => JSON.stringify(await person.ok("peers")).includes(`"${session}"`),
    "the session in peers",
  );
  return { initialized: JSON.parse(String(line)), exited, closeStdin: () => child.stdin.end() };
}
