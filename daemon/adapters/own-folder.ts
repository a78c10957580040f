/** The home folder: one daemon owns it, for as long as it is there. */
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock, systemTimers } from "#adapters/clock.ts";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { lockFolder } from "#adapters/folder-lock.ts";
import { VERSION } from "#adapters/version.ts";

/** A daemon that was there first has this long to answer before this one gives up on it. */
const OTHER_LIMIT_MS = 10_000;
const VANISHED_CHECK_MS = 2000;

/** The folder's lock, or the pid of a daemon that answers for it. One that is ending is waited for. */
export async function ownFolder(
  home: string,
  socket: string,
): Promise<{ unlock: () => void } | { pid: number }> {
  const deadline = systemClock.now() + OTHER_LIMIT_MS;
  for (;;) {
    const unlock = lockFolder(lockPath(home));
    if (unlock) return { unlock };
    try {
      const client = await connectDaemon(socket, { client: "daemon", version: VERSION });
      const { daemon } = await client.daemon.daemon.status({});
      client.close();
      return { pid: daemon.pid };
    } catch (error) {
      if (systemClock.now() > deadline) throw error;
      await new Promise<void>((resolve) => systemTimers.after(50, resolve));
    }
  }
}

/**
 * Ends the process when somebody has removed the folder, also when another one stands in its place by now: that one has
 * a lock file of its own, and maybe a daemon. There is nothing left to close in order.
 */
export function endWhenGone(home: string, socket: string): void {
  const own = identityOf(lockPath(home));
  const look = () => {
    if (identityOf(lockPath(home)) === own) {
      systemTimers.after(VANISHED_CHECK_MS, look);
      return;
    }
    // In the runtime folder it would outlive the home.
    if (!existsSync(home)) rmSync(socket, { force: true });
    process.exit(0);
  };
  look();
}

function lockPath(home: string): string {
  return join(home, "daemon.lock");
}

function identityOf(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.dev}:${stat.ino}` : null;
}
