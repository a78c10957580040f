/** Writes a file so that a crash leaves the old one or the new one, never half of it. */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A file that is written beside its place, and not there yet. */
export type StagedFile = { commit(): void; discard(): void };

const OWN_MODE = 0o600;

/** Temporary file, fsync, rename, fsync of the folder. Mode 0600. */
export function writeFileAtomically(path: string, content: string | Uint8Array): void {
  stageFile(path, content).commit();
}

/** Everything that takes room on the disk, so that several files can be written before the first is in place. */
export function stageFile(path: string, content: string | Uint8Array, mode = OWN_MODE): StagedFile {
  const temporary = `${path}.${process.pid}.tmp`;
  const discard = () => rmSync(temporary, { force: true });
  try {
    const file = openSync(temporary, "w", OWN_MODE);
    try {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
      if (mode !== OWN_MODE) fchmodSync(file, mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    discard();
    throw error;
  }
  return {
    commit() {
      try {
        renameSync(temporary, path);
      } catch (error) {
        discard();
        throw error;
      }
      syncFolder(dirname(path));
    },
    discard,
  };
}

export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
