/** `claudemesh __daemon --doctor`: looks at the home from outside, says what it found in one line of JSON. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { lockFolder } from "#adapters/folder-lock.ts";
import { homePath, socketPath } from "#adapters/home.ts";
import { examine } from "../doctor.ts";
import { homeChecks } from "./home-checks.ts";

export function examineHome(fix: boolean): ReturnType<typeof examine> {
  const home = homePath();
  const lock = join(home, "daemon.lock");
  // Held until the end, so that no daemon starts amid the repairs.
  const unlock = existsSync(lock) ? tryLock(lock) : () => {};
  try {
    return examine(homeChecks, { home, socket: socketPath(home), isRunning: unlock === null }, fix);
  } finally {
    unlock?.();
  }
}

/** What can't even be locked has no daemon either. */
function tryLock(path: string): (() => void) | null {
  try {
    return lockFolder(path);
  } catch {
    return () => {};
  }
}
