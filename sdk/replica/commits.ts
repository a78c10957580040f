/**
 * What is written in one turn of the event loop shares a commit: syncing a disk takes as long for one row as for fifty.
 * Each work is all or nothing by itself, and nobody hears of it before it is durable.
 */
import type { Database, Outcome, Timers } from "#protocol/ports.ts";

export type Commits = {
  /** Resolves once what `work` wrote is durable; it may be begun twice, and writes nowhere else. @throws what `work` throws, or what the commit fails with */
  commit<T>(work: () => T): Promise<T>;
  /** Commits what waits at once: the database is about to be closed. */
  flush(): void;
};

type Waiting = { work: () => () => void; fail(error: unknown): void };

export function createCommits(db: Database, timers: Timers): Commits {
  let waiting: Waiting[] = [];

  const flush = () => {
    const turn = waiting;
    waiting = [];
    if (turn.length === 0) return;
    for (const [i, outcome] of together(db, turn).entries()) {
      if ("value" in outcome) outcome.value();
      else turn[i]?.fail(outcome.error);
    }
  };

  return {
    commit: (work) =>
      new Promise((resolve, reject) => {
        const settling = () => {
          const value = work();
          return () => resolve(value);
        };
        waiting.push({ work: settling, fail: reject });
        if (waiting.length === 1) timers.soon(flush);
      }),
    flush,
  };
}

/** A commit that fails is the failure of each. */
function together(db: Database, turn: readonly Waiting[]): Outcome<() => void>[] {
  try {
    return db.together(turn.map(({ work }) => work));
  } catch (error) {
    return turn.map(() => ({ error }));
  }
}
