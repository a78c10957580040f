/**
 * Takes in what the broker pushes: verify, open, then one transaction that keeps the records, moves the indexes and
 * the cursor. What arrives while a batch is worked on makes the next batch.
 */

import { MeshError } from "#protocol/errors.ts";
import { CHAIN } from "#protocol/ids.ts";
import { decodeRecord, isGuard, type SealedRecord } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import type { ChainStep } from "../feature.ts";
import type { Push } from "../link/link.ts";
import type { ChainView } from "../membership/chain.ts";
import { createWorker } from "../worker.ts";
import type { RecordStatus } from "./replica.ts";

const MAX_BATCH = 256;

/** A verified record and what became of it. */
export type Taken = {
  seq: number;
  at: number;
  record: SealedRecord;
  /** Height of a chain entry, else null. */
  height: number | null;
  /** Of a chain entry that is news to the view. */
  step?: ChainStep;
  status: RecordStatus;
  event: MeshEvent | null;
};

export type Place = { seq: number; at: number };
export type Refused = Place & { error: MeshError };

/** The outcome of a batch, to be committed as one. */
export type Batch = {
  view: ChainView;
  taken: readonly Taken[];
  refused: readonly Refused[];
  through: number;
};

export type SyncOwner = {
  view(): ChainView;
  cursor(): number;
  /** @throws MeshError when the chain entry is none */
  extend(view: ChainView, record: SealedRecord, seq: number): Promise<{ view: ChainView; height: number }>;
  verify(view: ChainView, record: SealedRecord, seq: number): Promise<void>;
  open(view: ChainView, record: SealedRecord, seq: number): Promise<Pick<Taken, "status" | "event">>;
  /** One durable transaction. */
  commit(batch: Batch): Promise<void>;
  credit(records: number, bytes: number): void;
  /** The membership chain can't be believed since the entry `where`: nothing more is applied. */
  distrust(error: MeshError, where: Place | null): void;
};

export type Sync = {
  push(push: Push): void;
  /** Nothing below `through` is missing; says so once all before it is applied. */
  heartbeat(through: number): void;
  /** Forgets what has arrived and isn't applied: it comes again on the next link. */
  reset(): void;
};

export function createSync(owner: SyncOwner, onError: (error: unknown) => void): Sync {
  let queue: Push[] = [];
  let heard = 0;
  let generation = 0;
  /** The highest sequence that was pushed on this link. */
  let last = 0;
  /** Where the judgement stands, to tell at which entry it ended. */
  let judged: Place | null = null;

  const step = async () => {
    const started = generation;
    const pushes = queue.splice(0, MAX_BATCH);
    const through = Math.max(pushes.at(-1)?.through ?? 0, queue.length === 0 ? heard : 0);
    judged = null;
    const batch = await judgeBatch(owner, pushes, through, last, (place) => {
      judged = place;
    });
    if (generation !== started) return;
    last = Math.max(last, ...pushes.map(({ seq }) => seq));
    await owner.commit(batch);
    owner.credit(
      pushes.length,
      pushes.reduce((sum, push) => sum + push.size, 0),
    );
  };

  const start = createWorker(
    async () => {
      // What came in the same packet is pushed in this very turn, and shares the commit.
      await Promise.resolve();
      while (queue.length > 0 || heard > owner.cursor()) await step();
    },
    (error) => {
      queue = [];
      heard = 0;
      if (error instanceof MeshError) owner.distrust(error, judged);
      else onError(error);
    },
  );

  return {
    push(push) {
      queue.push(push);
      start();
    },
    heartbeat(through) {
      heard = through;
      start();
    },
    reset() {
      queue = [];
      heard = 0;
      last = 0;
      generation++;
    },
  };
}

type Judged = { taken: Taken } | { refused: Refused } | { failure: unknown };

/** Records are judged side by side, each by the chain as of its sequence; chain entries one after the other. */
async function judgeBatch(
  owner: SyncOwner,
  pushes: readonly Push[],
  through: number,
  before: number,
  reached: (place: Place) => void,
): Promise<Batch> {
  let view = owner.view();
  let last = before;
  const judging: (Judged | Promise<Judged>)[] = [];
  for (const { seq, at, record: bytes } of pushes) {
    // The broker pushes forwards; only what an earlier link brought may come once more.
    if (seq <= last) judging.push({ refused: { seq, at, error: reordered() } });
    if (seq <= last || seq <= owner.cursor()) continue;
    last = seq;
    reached({ seq, at });
    const record = decodeRecord(bytes);
    if (record.header.to !== CHAIN) {
      // What comes after a guard is judged by it, and it by what came before.
      if (isGuard(record.header)) await Promise.all(judging);
      const judged = judgeRecord(owner, view, { seq, at, record });
      judging.push(isGuard(record.header) ? await judged : judged);
      continue;
    }
    const extended = await owner.extend(view, record, seq);
    const step = stepBetween(view, extended.view, record);
    view = extended.view;
    const { height } = extended;
    judging.push({ taken: { seq, at, record, height, status: "applied", event: null, ...step } });
  }
  const taken: Taken[] = [];
  const refused: Refused[] = [];
  for (const judged of await Promise.all(judging)) {
    if ("failure" in judged) throw judged.failure;
    if ("taken" in judged) taken.push(judged.taken);
    else refused.push(judged.refused);
  }
  return { view, taken, refused, through };
}

function reordered(): MeshError {
  return new MeshError(
    "reordered",
    "The broker shows a record behind one that comes after it.",
    "Don't trust this broker.",
  );
}

function stepBetween({ state: before }: ChainView, { state: after }: ChainView, record: SealedRecord) {
  return before && after && before !== after ? { step: { before, after, record } } : {};
}

/** Never throws: others are judged meanwhile, and what comes of each is looked at once all have been. */
async function judgeRecord(
  owner: SyncOwner,
  view: ChainView,
  { seq, at, record }: Pick<Taken, "seq" | "at" | "record">,
): Promise<Judged> {
  try {
    await owner.verify(view, record, seq);
    return { taken: { seq, at, record, height: null, ...(await owner.open(view, record, seq)) } };
  } catch (error) {
    return error instanceof MeshError ? { refused: { seq, at, error } } : { failure: error };
  }
}
