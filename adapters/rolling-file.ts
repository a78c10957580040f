/**
 * A log file of bounded size: when the next line would make it too long, it becomes NAME.1.log, the older ones move up by
 * one, and the oldest goes. A line that can't be written is dropped: a full disk must not stop who logs about it.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const MAX_BYTES = 5 * 1024 * 1024;
/** The current one included. */
const FILES = 5;

/** `write` answers whether the line is in the file. */
export type RollingFile = { write(line: string): boolean };

/** @throws the system's error when the file can't be had at all */
export function openRollingFile(path: string, { maxBytes = MAX_BYTES, files = FILES } = {}): RollingFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let file: { fd: number; size: number } | null = open(path);

  const roll = () => {
    if (file) closeSync(file.fd);
    file = null;
    for (const [newer, older] of movesUp(path, files)) {
      try {
        renameSync(newer, older);
      } catch (error) {
        // Not that many have come together yet.
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      }
    }
  };

  return {
    write(line) {
      const bytes = Buffer.from(line);
      try {
        if (file && file.size > 0 && file.size + bytes.length > maxBytes) roll();
        file ??= open(path);
        file.size += writeSync(file.fd, bytes);
        return true;
      } catch {
        // Dropped, as said above; the next line tries again.
        return false;
      }
    },
  };
}

/** All files that a log may be spread over, the current one first. */
export function rolledPaths(path: string, files = FILES): string[] {
  return Array.from({ length: files }, (_, i) => (i === 0 ? path : path.replace(/(\.log)?$/, `.${i}$1`)));
}

/** From the oldest on, so that each place is free before it is taken; the oldest is replaced. */
function movesUp(path: string, files: number): [newer: string, older: string][] {
  const paths = rolledPaths(path, files);
  const moves = paths.slice(1).map((older, i): [string, string] => [paths[i] ?? path, older]);
  return moves.reverse();
}

function open(path: string): { fd: number; size: number } {
  const fd = openSync(path, "a", 0o600);
  return { fd, size: fstatSync(fd).size };
}
