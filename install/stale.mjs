// Is dist/ older than what it was made from? bin/claudemesh asks the same with shell built-ins, once for every verb.
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** What ends in a bundle, and what decides how. The launcher names the same folders; a test compares the two. */
export const SOURCES = [
  "protocol",
  "sdk",
  "adapters",
  "broker",
  "daemon",
  "cli",
  "mcp-adapter",
  "install",
  "package.json",
  "package-lock.json",
];

/**
 * The stamp is made when a build begins and put in place when it has ended, so an edit during the build counts as newer.
 * Folders count as well: a deleted or renamed file changes nothing else.
 * @param {string} root
 */
export function isStale(root) {
  const stamp = join(root, "dist", "stamp");
  if (!existsSync(stamp)) return true;
  const built = statSync(stamp).mtimeMs;
  return SOURCES.some((source) => isNewer(join(root, source), built));
}

/** @param {string} path @param {number} time @returns {boolean} */
function isNewer(path, time) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return false;
  if (stat.mtimeMs > time) return true;
  if (!stat.isDirectory() || basename(path) === "node_modules") return false;
  return readdirSync(path).some((name) => isNewer(join(path, name), time));
}
