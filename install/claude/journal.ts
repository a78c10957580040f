/**
 * What install changed and what was there before, in `$CLAUDEMESH_HOME/install`: the way back. It is written before anything
 * else is, so a crash in between leaves a file that is still as before, or as the journal says.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "#adapters/atomic-file.ts";
import { homePath, securePrivateFolder } from "#adapters/home.ts";
import { MeshError } from "#protocol/errors.ts";
import { withLock } from "../lock.mjs";
import { fromDisk } from "./file-edit.ts";

export type Kind = "settings" | "skill" | "servers";

/** SHA-256 in hex; null for a file that isn't there. */
export type Digest = string | null;

export type Entry = {
  path: string;
  kind: Kind;
  before: Digest;
  after: Digest;
  /** Name of the file beside the journal that holds what was there. */
  backup: string | null;
  /** Permission rules that weren't there before. */
  rules: readonly string[];
  /** Folders that weren't there before, the outermost first. */
  folders: readonly string[];
};

const JOURNAL = "journal.json";
const BACKUP = ".backup";
const VERSION = 1;
const LOCK_MS = 30_000;

export function digestOf(bytes: Uint8Array | null): Digest {
  return bytes && createHash("sha256").update(bytes).digest("hex");
}

function folder(): string {
  return join(homePath(), "install");
}

/** @throws MeshError bad_data for a journal that can't be read */
export function readJournal(): readonly Entry[] {
  const path = join(folder(), JOURNAL);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw fromDisk(error, path);
  }
  try {
    const { version, entries }: { version: number; entries: Entry[] } = JSON.parse(text);
    if (version === VERSION && Array.isArray(entries)) return entries;
  } catch {
    // Said below.
  }
  throw new MeshError(
    "bad_data",
    `${path} is damaged, or of a newer claudemesh.`,
    "Update claudemesh, or move it away: then only what is ours by its shape is known.",
  );
}

/** Null where it is gone, or isn't what it was. */
export function readBackup({ backup, before }: Entry): Buffer | null {
  try {
    const bytes = backup === null ? null : readFileSync(join(folder(), backup));
    return digestOf(bytes) === before ? bytes : null;
  } catch {
    return null;
  }
}

/** Keeps the bytes under their digest; answers the name. */
export function keepBackup(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  const name = `${digestOf(bytes)}${BACKUP}`;
  writeFileAtomically(join(folder(), name), bytes);
  return name;
}

export function writeJournal(entries: readonly Entry[]): void {
  const path = join(folder(), JOURNAL);
  if (entries.length > 0)
    writeFileAtomically(path, `${JSON.stringify({ version: VERSION, entries }, null, 2)}\n`);
  else rmSync(path, { force: true });
}

/** Once nothing is taken back any more: the backups that no entry names. */
export function sweepBackups(): void {
  const named = readJournal().map(({ backup }) => backup);
  for (const name of readdirSync(folder()))
    if (name.endsWith(BACKUP) && !named.includes(name)) rmSync(join(folder(), name), { force: true });
}

/** One install or uninstall at a time. @throws MeshError busy, bad_data */
export async function whileAlone<T>(action: () => Promise<T>): Promise<T> {
  securePrivateFolder(homePath());
  let isAlone = false;
  try {
    mkdirSync(folder(), { recursive: true, mode: 0o700 });
    return await withLock(
      folder(),
      () => {
        isAlone = true;
        return action();
      },
      { waitMs: LOCK_MS },
    );
  } catch (error) {
    if (isAlone) throw error;
    if (error instanceof Error && !("code" in error))
      throw new MeshError("busy", error.message, "Try again.");
    throw fromDisk(error, folder());
  }
}
