/** What the system and the database say when a place can't be used, by the product's names. */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, MeshError } from "#protocol/errors.ts";

/** The shared memory of a database grows by 32 KiB at once. */
const FULL_BYTES = 64 * 1024;

type Meaning = { codes: RegExp; name: ErrorCode; says(what: string, code: string): string; hint: string };

/** SQLite's codes carry a detail behind a second underscore: SQLITE_IOERR_WRITE. */
const MEANINGS: readonly Meaning[] = [
  {
    codes: /^(ENOSPC|EDQUOT|SQLITE_FULL)/,
    name: "storage_full",
    says: (what) => `The disk is full: ${what} can't be written.`,
    hint: "Make room, and try again.",
  },
  {
    codes: /^(EROFS|EACCES|EPERM|SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_PERM)/,
    name: "bad_data",
    says: (what, code) => `${what} can't be written or made (${code}).`,
    hint: "Look at its owner and mode, or set CLAUDEMESH_HOME to a folder of your own.",
  },
  {
    codes: /^(EEXIST|ENOTDIR|EISDIR)$/,
    name: "bad_data",
    says: (what, code) =>
      `${what} can't be used (${code}): a file stands where a folder should, or the other way round.`,
    hint: "Look at what it is, and move it away.",
  },
  {
    codes: /^SQLITE_(NOTADB|CORRUPT)/,
    name: "bad_data",
    says: (what) => `${what} is damaged.`,
    hint: "See `claudemesh doctor`.",
  },
  {
    codes: /^(EIO|SQLITE_IOERR)/,
    name: "bad_data",
    says: (what, code) => `The disk fails under ${what} (${code}).`,
    hint: "Look at the disk, and at your backups.",
  },
];

/** Null where the error says nothing about a place. `what`: the place, for a person; the error's own path is better. */
export function fromSystem(error: unknown, what: string): MeshError | null {
  if (error instanceof MeshError) return error;
  if (!(error instanceof Error && "code" in error)) return null;
  const place = "path" in error && typeof error.path === "string" ? error.path : what;
  // SQLite says of some files only that they couldn't be made longer.
  const code = /^SQLITE_IOERR/.test(String(error.code)) && isFull(place) ? "ENOSPC" : String(error.code);
  const meaning = MEANINGS.find(({ codes }) => codes.test(code));
  return meaning ? new MeshError(meaning.name, meaning.says(place, code), meaning.hint) : null;
}

function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}
