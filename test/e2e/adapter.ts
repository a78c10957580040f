/** The adapter as Claude Code starts it: over stdio, with a session's environment. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";

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
  const adapter = await initializeAdapter(person, folder, {
    CLAUDE_CODE_SESSION_ID: session,
    CLAUDE_CODE_MESSAGING_SOCKET: `${folder}/inbox.sock`,
  });
  await eventually(
    async () => JSON.stringify(await person.ok("peers")).includes(`"${session}"`),
    "the session in peers",
  );
  return adapter;
}

/** Resolves once it has answered `initialize`. */
export async function initializeAdapter(
  person: Person,
  folder: string,
  env: Record<string, string>,
): Promise<Adapter> {
  mkdirSync(folder, { recursive: true });
  const child = spawn(launcherPath, ["mcp-serve"], {
    cwd: folder,
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...person.env, CLAUDE_PROJECT_DIR: folder, ...env },
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
  return { initialized: JSON.parse(String(line)), exited, closeStdin: () => child.stdin.end() };
}
