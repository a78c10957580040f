/** Starts the daemon and waits until it says that it listens. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";

/** `bin/claudemesh`: one level above both `dist/` and the source folders. */
export const launcherPath = join(import.meta.dirname, "..", "bin", "claudemesh");

export type DaemonChild = {
  pid: number /** True when another daemon was there first. */;
  already: boolean;
  ended: Promise<number>;
};

/**
 * `args` are the flags of `up`. With `attached` the daemon ends when this process does; without, it outlives it. `home`
 * in place of this process's own.
 * @throws MeshError what kept it from starting, daemon_unreachable
 */
export function startDaemon(
  args: readonly string[],
  { attached, limitMs, home }: { attached: boolean; limitMs: number; home?: string },
): Promise<DaemonChild> {
  return new Promise((resolve, reject) => {
    const child = spawn(launcherPath, ["__daemon", ...args, ...(attached ? ["--parent-pipe"] : [])], {
      detached: true,
      stdio: [attached ? "pipe" : "ignore", "pipe", "ignore"],
      env: home === undefined ? process.env : { ...process.env, CLAUDEMESH_HOME: home },
    });
    const ended = new Promise<number>((done) => child.once("exit", (code) => done(code ?? 1)));
    const limit = setTimeout(() => fail("it didn't answer in time"), limitMs);
    const fail = (why: string) => {
      clearTimeout(limit);
      reject(
        new MeshError(
          "daemon_unreachable",
          `The daemon couldn't be started: ${why}.`,
          "See `claudemesh logs`.",
        ),
      );
    };
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`it ended with code ${code}`));
    createInterface({ input: child.stdout ?? process.stdin }).once("line", (line) => {
      clearTimeout(limit);
      const said: unknown = JSON.parse(line);
      if (!attached) child.unref();
      if (typeof said === "object" && said !== null && "error" in said) {
        reject(fromErrorShape(said.error as { code: string; message: string; hint: string }));
      } else {
        const already =
          typeof said === "object" && said !== null && "already" in said && said.already === true;
        resolve({ pid: child.pid ?? 0, already, ended });
      }
    });
  });
}
