/** Ending what a test started, by its process id. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Processes that live in that home by their environment; none where the system doesn't tell (no /proc). */
export function processesOf(home: string): number[] {
  return processesWith((variable) => variable === `CLAUDEMESH_HOME=${home}`);
}

/** Whatever still runs with a home in that folder: a failed test may have left it. */
export function endAllUnder(folder: string): void {
  for (const pid of processesWith((variable) => variable.startsWith(`CLAUDEMESH_HOME=${folder}/`))) end(pid);
}

export function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function processesWith(wanted: (variable: string) => boolean): number[] {
  if (!existsSync("/proc/self/environ")) return [];
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => environment(pid).some(wanted));
}

function environment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    return [];
  }
}
