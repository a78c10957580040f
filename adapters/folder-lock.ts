/** One process owns a folder: an exclusive SQLite transaction on a lock file, which the kernel frees with the process. */
import Sqlite from "better-sqlite3";
import { fromSystem } from "./system-error.ts";

/** A lock lives until it is released, not until the garbage collector finds its connection. */
const held = new Set<Sqlite.Database>();

/**
 * Answers the release, or null when another process owns the folder.
 * @throws MeshError bad_data, storage_full when the folder can't be written
 */
export function lockFolder(path: string): (() => void) | null {
  let lock: Sqlite.Database | null = null;
  try {
    lock = new Sqlite(path, { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock?.close();
    if (error instanceof Error && "code" in error && error.code === "SQLITE_BUSY") return null;
    throw fromSystem(error, path) ?? error;
  }
  const locked = lock;
  held.add(locked);
  return () => {
    held.delete(locked);
    locked.close();
  };
}
