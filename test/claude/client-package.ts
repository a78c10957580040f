/** The real client, fetched once into a cache outside of the repository. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** The release that the facts in these tests are about; another one is tried with CLAUDE_CODE_VERSION. */
export const VERSION = process.env.CLAUDE_CODE_VERSION ?? "2.1.329";

const CACHE = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
const FOLDER = join(CACHE, "claudemesh-test", `claude-code-${VERSION}`);

export const clientPath = join(
  FOLDER,
  "node_modules/@anthropic-ai",
  `claude-code-${process.platform}-${process.arch}`,
  "claude",
);

/** @throws Error when npm can't fetch it, or it holds no program for this system */
export async function fetchClient(): Promise<void> {
  if (existsSync(clientPath)) return console.log(`Claude Code ${VERSION} is in ${FOLDER}`);
  console.log(`fetching Claude Code ${VERSION} into ${FOLDER} (about 400 MB, once)`);
  // Under another name until it is whole: a fetch that was cut short must not look like a client.
  const half = `${FOLDER}.${process.pid}`;
  mkdirSync(dirname(FOLDER), { recursive: true });
  const wanted = `@anthropic-ai/claude-code@${VERSION}`;
  const npm = spawn("npm", ["install", "--prefix", half, "--ignore-scripts", "--no-audit", wanted], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(npm, "exit");
  try {
    if (code !== 0) throw new Error(`npm could not fetch ${wanted}.`);
    rmSync(FOLDER, { recursive: true, force: true });
    renameSync(half, FOLDER);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  if (!existsSync(clientPath)) throw new Error(`${wanted} has no program for this system: ${clientPath}`);
}
