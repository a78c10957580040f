/** Starts the daemon, by its service where there is one, and waits until it listens. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";
import { homePath } from "./home.ts";

/** `bin/claudemesh`: one level above both `dist/` and the source folders. */
export const launcherPath = join(import.meta.dirname, "..", "bin", "claudemesh");

export type DaemonChild = {
  pid: number /** True when another daemon was there first. */;
  already: boolean;
  /** Of a child; what the service started ends out of sight. */
  ended: Promise<number>;
  /** What a person should know of how it was started: why it runs without a service, where one was to be expected. */
  remark?: Remark;
};

export type Remark = { name: "no manager" | "service trouble"; text: string };

export type StartOptions = {
  attached: boolean;
  limitMs: number;
  home?: string;
  /** Only a daemon of this very copy will do: the one before was older than it. */
  own?: boolean;
};

/**
 * `args` are the flags of `up`. With `attached` the daemon is a child that ends when this process does; without, it outlives
 * it, and is the service's where one is installed. `home` in place of this process's own: always a child.
 * @throws MeshError what kept it from starting, daemon_unreachable
 */
export async function startDaemon(args: readonly string[], options: StartOptions): Promise<DaemonChild> {
  if (options.attached || options.home !== undefined) return startChild(args, options);
  const { startByService } = await import("./service/start.ts");
  const found = await startByService(homePath(), {
    launcher: launcherPath,
    limitMs: options.limitMs,
    own: options.own === true,
    // The daemon alone writes what it is to remember; the service then starts without flags.
    remember: async () => {
      if (args.length > 0) await startChild([...args, "--remember"], options);
    },
  });
  if ("pid" in found) return { ...found, ended: new Promise(() => {}) };
  // Where the service fails for a reason of the home's, this fails as well, and says which.
  const child = await startChild(args, options);
  return found.remark === null || child.already ? child : { ...child, remark: found.remark };
}

function startChild(
  args: readonly string[],
  { attached, limitMs, home }: StartOptions,
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
