/** One process owns a folder: an exclusive SQLite transaction on a lock file, which the kernel frees with the process. */
import Sqlite from "better-sqlite3";

/** A lock lives until it is released, not until the garbage collector finds its connection. */
const held = new Set<Sqlite.Database>();

/** Answers the release, or null when another process owns the folder. */
export function lockFolder(path: string): (() => void) | null {
  const lock = new Sqlite(path, { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (error instanceof Error && "code" in error && error.code === "SQLITE_BUSY") return null;
    throw error;
  }
  held.add(lock);
  return () => {
    held.delete(lock);
    lock.close();
  };
}
