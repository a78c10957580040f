/** Throw-away homes for benches, gone when `work` is done. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectDaemon, type DaemonClient } from "#adapters/daemon-client.ts";
import { socketPath } from "#adapters/home.ts";
import { launcherPath } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";

export type Home = {
  path: string;
  verb(...args: string[]): Promise<string>;
  client(): Promise<DaemonClient>;
};

export async function withHomes<T>(
  names: readonly string[],
  work: (...homes: Home[]) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const homes = names.map((name) => homeAt(join(folder, name)));
  try {
    for (const [i, home] of homes.entries()) await home.verb("up", "--name", names[i] ?? "");
    return await work(...homes);
  } finally {
    for (const home of homes) await home.verb("down");
    rmSync(folder, { recursive: true, force: true });
  }
}

export function homeAt(path: string): Home {
  return {
    path,
    verb: (...args) => output(launcherPath, args, { ...process.env, CLAUDEMESH_HOME: path }),
    client: () => connectDaemon(socketPath(path), { client: "cli", version: VERSION }),
  };
}

/** Standard output of a program that has to end well. */
export async function output(command: string, args: readonly string[], env = process.env): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}`);
  return text;
}
