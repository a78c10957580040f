/** Claude Code's own command line, which keeps its list of servers while sessions run. */
import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { MeshError } from "#protocol/errors.ts";
import { ARGUMENTS, SERVER } from "./servers.ts";

const LIMIT_MS = 20_000;
const MOST_WORDS = 300;

export type Client = {
  /** @throws MeshError refused, timeout: in the client's own words */
  add(launcher: string): Promise<void>;
  remove(): Promise<void>;
};

export function clientAt(program: string, limitMs = LIMIT_MS): Client {
  return {
    add: (launcher) =>
      run(program, ["mcp", "add", "--scope", "user", SERVER, "--", launcher, ...ARGUMENTS], limitMs),
    remove: () => run(program, ["mcp", "remove", "--scope", "user", SERVER], limitMs),
  };
}

function run(program: string, args: readonly string[], limitMs: number): Promise<void> {
  const hint = `Look at what \`claude ${args.slice(0, 2).join(" ")}\` says, or leave the server out with --no-mcp.`;
  return new Promise((resolve, reject) => {
    // A group of its own: a wrapper script's child would go on otherwise. At home, so that no project is concerned.
    const child = spawn(program, args, { cwd: homedir(), detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-MOST_WORDS);
      });
    const limit = setTimeout(() => {
      end(child.pid);
      settle(new MeshError("timeout", `${program} didn't answer within ${limitMs / 1000} s.`, hint));
    }, limitMs);
    const settle = (error?: MeshError) => {
      clearTimeout(limit);
      child.stdout.destroy();
      child.stderr.destroy();
      if (error) reject(error);
      else resolve();
    };
    child.once("error", ({ message }) => settle(new MeshError("refused", `${program}: ${message}.`, hint)));
    child.once("exit", (code) => {
      if (code === 0) return settle();
      // What it says may still be on its way.
      child.once("close", () => {
        const why = said.trim().split("\n").at(-1) || `it ended with code ${code}`;
        settle(new MeshError("refused", `${program} refused: ${why}`, hint));
      });
    });
  });
}

function end(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
