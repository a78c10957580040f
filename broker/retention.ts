/** Takes old records away, a bite at a time, so that commits needn't wait for it, and what accounts don't need any more. */
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Accounts } from "./accounts/accounts.ts";
import type { Log } from "./log/log.ts";
import type { BrokerConfig, BrokerPorts } from "./ports.ts";

const DAY_MS = 86_400_000;
/** Tombstones and expired values outlive the appends around them: a replica that comes back late learns of them. */
const DEAD_DAYS = 30;

export type RetentionJob = {
  /** Takes away what is due now. */
  run(): Promise<void>;
  stop(): void;
};

export function createRetention(
  ports: BrokerPorts,
  { retention }: BrokerConfig,
  log: Log,
  accounts: Pick<Accounts, "clean">,
): RetentionJob {
  let stopped = false;
  let cancel = () => {};

  const run = async () => {
    await accounts.clean();
    const now = Math.floor(ports.clock.now());
    const appendsBefore = now - retention.keepMs;
    const due = {
      appendsBefore,
      deadBefore: appendsBefore - DEAD_DAYS * DAY_MS,
      idsBefore: now - LIMITS.idDays * DAY_MS,
      quotaBytes: retention.quotaBytes,
    };
    await ports.store.dropJoinRequests(now - LIMITS.joinRequestDays * DAY_MS);
    for (let more = true; more && !stopped; ) {
      const bite = await ports.store.retain(due);
      for (const [workspace, floor] of bite.floors) await log.raiseFloor(workspace, floor);
      more = bite.more;
      // What came in meanwhile goes first.
      if (more) await new Promise<void>((resolve) => ports.timers.soon(resolve));
    }
  };

  const runAndWait = () => {
    if (stopped) return;
    run()
      .catch((error) => {
        if (error instanceof MeshError && error.code === "storage_full") return;
        if (!stopped) ports.fatal(error);
      })
      .finally(() => {
        if (!stopped) cancel = ports.timers.after(retention.everyMs, runAndWait);
      });
  };
  ports.timers.soon(runAndWait);

  return {
    run,
    stop() {
      stopped = true;
      cancel();
    },
  };
}
