/** How this copy of claudemesh came here, and so how a newer one does. */
import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { launcherPath } from "#adapters/start-daemon.ts";
import { MeshError } from "#protocol/errors.ts";

const LIMIT_MS = 120_000;

export type Copy = {
  kind: "checkout" | "npm" | "other";
  root: string;
  /** What brings a newer one; null where only the person can know. */
  command: readonly string[] | null;
};

export function thisCopy(launcher = realpathSync(launcherPath)): Copy {
  const root = dirname(dirname(launcher));
  if (existsSync(join(root, ".git")))
    return { kind: "checkout", root, command: ["git", "-C", root, "pull", "--ff-only"] };
  const modules = dirname(root);
  const lib = dirname(modules);
  // Where npm keeps what was installed with --global; anywhere else somebody's package.json decides.
  if (basename(modules) === "node_modules" && basename(lib) === "lib") {
    const prefix = dirname(lib);
    return {
      kind: "npm",
      root,
      command: ["npm", "install", "--global", "--prefix", prefix, "claudemesh@latest"],
    };
  }
  return { kind: "other", root, command: null };
}

/** False when there was nothing newer. @throws MeshError conflict with git's own words */
export async function pull({ root }: Copy): Promise<boolean> {
  const before = await git(root, "rev-parse", "HEAD");
  await git(root, "pull", "--ff-only", "--quiet");
  return (await git(root, "rev-parse", "HEAD")) !== before;
}

async function git(root: string, ...args: string[]): Promise<string> {
  try {
    // Nobody is there to be asked for a password.
    const env = { ...process.env, LC_ALL: "C", GIT_TERMINAL_PROMPT: "0" };
    const { stdout } = await promisify(execFile)("git", ["-C", root, ...args], { env, timeout: LIMIT_MS });
    return stdout.trim();
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    const why = said.split("\n").findLast((line) => /\w/.test(line)) ?? String(error);
    throw new MeshError(
      "conflict",
      `git ${args[0]} in ${root}: ${why.trim()}`,
      "Nothing was changed. Pull by hand, then claudemesh upgrade --in-place.",
    );
  }
}
