/** A condition variable: something changed; whoever waits for a condition looks again. */
import { MeshError } from "#protocol/errors.ts";
import type { Timers } from "#protocol/ports.ts";

export type Condition = {
  notify(): void;
  /** Resolves once `ready` answers something other than null. @throws MeshError timeout after `ms`, naming `what` */
  until<T>(ready: () => T | null, ms: number, what: string): Promise<T>;
};

export function createCondition(timers: Timers): Condition {
  const waiting = new Set<() => void>();
  return {
    notify() {
      for (const look of [...waiting]) look();
    },
    until(ready, ms, what) {
      return new Promise((resolve, reject) => {
        let cancel = () => {};
        const finish = () => {
          waiting.delete(look);
          cancel();
        };
        const look = () => {
          try {
            const value = ready();
            if (value === null) return;
            finish();
            resolve(value);
          } catch (error) {
            finish();
            reject(error);
          }
        };
        waiting.add(look);
        cancel = timers.after(ms, () => {
          finish();
          reject(
            new MeshError(
              "timeout",
              `Waited ${Math.round(ms)} ms for ${what}.`,
              "Try again, or look at `claudemesh status`.",
            ),
          );
        });
        look();
      });
    },
  };
}
