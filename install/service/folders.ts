/** Folders that an installation made, and takes away again when nobody else has put anything into them. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "#adapters/atomic-file.ts";
import { securePrivateFolder } from "#adapters/home.ts";
import { fromSystem } from "#adapters/system-error.ts";

/** Answers those that weren't there, the outermost first. */
export function makeFolders(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromSystem(error, path) ?? error;
  }
  return missing;
}

export function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder);
    } catch {
      // Somebody else has put something into it, and it is theirs now.
      return;
    }
  }
}

/** An uninstallation is another process, often much later. */
export function remember(home: string, folders: readonly string[]): void {
  securePrivateFolder(home);
  securePrivateFolder(dirname(recordPath(home)));
  const all = [...new Set([...remembered(home), ...folders])];
  writeFileAtomically(recordPath(home), `${JSON.stringify({ folders: all })}\n`);
}

export function remembered(home: string): string[] {
  try {
    const said: unknown = JSON.parse(readFileSync(recordPath(home), "utf8"));
    const folders = typeof said === "object" && said !== null && "folders" in said ? said.folders : [];
    return Array.isArray(folders) ? folders.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

export function forget(home: string): void {
  rmSync(recordPath(home), { force: true });
}

function recordPath(home: string): string {
  return join(home, "install", "service.json");
}
