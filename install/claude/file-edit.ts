/** Files of others that are changed: looked at before anything is written, then written all or none. */
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  type Stats,
} from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { type StagedFile, stageFile } from "#adapters/atomic-file.ts";
import { fromSystem } from "#adapters/system-error.ts";
import { MeshError } from "#protocol/errors.ts";

export type FileNow = {
  /** As it is named; a link stays one. */
  path: string;
  /** Where a link leads, all the way. */
  real: string;
  /** Null where it isn't there. */
  bytes: Buffer | null;
  mode: number;
};

export type FileEdit = { now: FileNow; after: Uint8Array | null };

const NEW_MODE = 0o600;
const FOLDER_MODE = 0o700;
const MOST_BYTES = 64 * 1024 * 1024;

/** @throws MeshError bad_data, refused where it couldn't be read or replaced */
export function lookAt(path: string): FileNow {
  const link = statOf(path);
  if (!link) {
    insistOnPlaceFor(dirname(path));
    return { path, real: path, bytes: null, mode: NEW_MODE };
  }
  const real = link.isSymbolicLink() ? target(path) : path;
  const stat = lstatSync(real);
  if (!stat.isFile()) throw unfit(path, "is no file", "Look at what it is, and move it away.");
  if (stat.uid !== userInfo().uid)
    throw unfit(path, "belongs to another user", "Install as that user, or give the file back to yourself.");
  // Asked of the mode as well: root may write anything, and a file that is read-only is so on purpose.
  if ((stat.mode & 0o200) === 0) throw unfit(path, "is read-only", `Make it writable: chmod u+w ${real}`);
  if (stat.size > MOST_BYTES) throw unfit(path, "is too large", "Is it the right file?");
  insistOnWritable(dirname(real));
  return { path, real, bytes: read(real), mode: stat.mode & 0o7777 };
}

/** The text, and whether a byte order mark stood before it. @throws MeshError bad_data */
export function textOf(bytes: Uint8Array | null, path: string): { text: string; mark: string } {
  let whole: string;
  try {
    whole = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes ?? new Uint8Array());
  } catch {
    throw unfit(path, "is damaged: it is no UTF-8", "Mend it, and try again.");
  }
  return whole.startsWith("\ufeff") ? { text: whole.slice(1), mark: "\ufeff" } : { text: whole, mark: "" };
}

/** Answers what takes it all back. @throws MeshError conflict where a file isn't as it was looked at, and what the disk says */
export function writeAll(edits: readonly FileEdit[]): () => void {
  const undo: (() => void)[] = [];
  const undoAll = () => {
    for (const one of undo.splice(0).reverse()) one();
  };
  const staged: { edit: FileEdit; file: StagedFile | null }[] = [];
  try {
    for (const edit of edits) {
      const made = makeFolders(dirname(edit.now.real));
      undo.push(() => removeFolders(made));
      staged.push({ edit, file: edit.after && stageFile(edit.now.real, edit.after, edit.now.mode) });
    }
    for (const { edit, file } of staged) {
      insistOnSame(edit.now);
      if (file) file.commit();
      else rmSync(edit.now.real, { force: true });
      undo.push(() => restore(edit.now));
    }
  } catch (error) {
    for (const { file } of staged) file?.discard();
    undoAll();
    throw fromDisk(error, edits.map(({ now }) => now.path).join(", "));
  }
  return undoAll;
}

/** Folders that would have to be made for the path, the outermost first. */
export function missingFolders(folder: string): string[] {
  return statOf(folder) ? [] : [...missingFolders(dirname(folder)), folder];
}

/** Those of the folders that are empty, the innermost first. */
export function removeFolders(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder);
    } catch {
      // Somebody has put something in, or taken it away.
    }
  }
}

export function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}

function restore({ real, bytes, mode }: FileNow): void {
  if (bytes) stageFile(real, bytes, mode).commit();
  else rmSync(real, { force: true });
}

function insistOnSame({ path, real, bytes }: FileNow): void {
  if (isSame(statOf(real) ? read(real) : null, bytes)) return;
  throw new MeshError("conflict", `${path} was changed just now by somebody else.`, "Try again.");
}

function makeFolders(folder: string): string[] {
  const missing = missingFolders(folder);
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  return missing;
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw fromDisk(error, path);
  }
}

function target(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    throw unfit(path, "is a link that leads nowhere", "Mend the link, or remove it.");
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fromDisk(error, path);
  }
}

/** A folder that is there, or could be made. */
function insistOnPlaceFor(folder: string): void {
  const stat = statOf(folder);
  if (!stat) {
    insistOnPlaceFor(dirname(folder));
    return;
  }
  const real = stat.isSymbolicLink() ? target(folder) : folder;
  if (!lstatSync(real).isDirectory())
    throw unfit(folder, "is no folder", "Look at what it is, and move it away.");
  insistOnWritable(real);
}

function insistOnWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw fromDisk(error, folder);
  }
  if ((lstatSync(folder).mode & 0o200) === 0)
    throw unfit(folder, "is read-only", `Make it writable: chmod u+w ${folder}`);
}

/** These files aren't in claudemesh's own home, which is what the usual hint is about. */
export function fromDisk(error: unknown, what: string): unknown {
  const known = error instanceof MeshError ? null : fromSystem(error, what);
  if (known?.code !== "bad_data") return known ?? error;
  return new MeshError(
    known.code,
    known.message,
    "Look at its owner and mode, and at how its disk is mounted.",
  );
}

function unfit(path: string, why: string, hint: string): MeshError {
  return new MeshError("bad_data", `${path} ${why}.`, hint);
}
