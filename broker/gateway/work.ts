/** The log, with a look at whether anything waits in it. */
import type { Log } from "../log/log.ts";

export type WatchedLog = Log & {
  /** Resolves once nothing that was appended waits for its commit. */
  idle(): Promise<void>;
};

export function watchWork(log: Log): WatchedLog {
  let waiting = 0;
  let wake: (() => void)[] = [];
  return {
    ...log,
    append(workspace, author, record, settle, refusal) {
      waiting++;
      log.append(
        workspace,
        author,
        record,
        (outcome) => {
          settle(outcome);
          if (--waiting > 0) return;
          for (const run of wake) run();
          wake = [];
        },
        refusal,
      );
    },
    idle: () => new Promise((resolve) => (waiting === 0 ? resolve() : void wake.push(resolve))),
  };
}
