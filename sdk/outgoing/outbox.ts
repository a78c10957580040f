/**
 * What was said and isn't committed by the broker yet: one FIFO a workspace, at most 64 unacknowledged. It keeps
 * plaintext and seals when it transmits, so nothing stays sealed to somebody who has left meanwhile. A row leaves
 * with the echo of its record, in the transaction that takes the echo in.
 */
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Log } from "#protocol/ports.ts";
import type { OutboxRow, Replica } from "../replica/replica.ts";
import { createWorker } from "../worker.ts";

export type Outbox = {
  /** Looks whether something can go out now. */
  pump(): void;
  /** The link is up: begins again at the lowest unacknowledged. */
  linkUp(): void;
  linkDown(): void;
  acked(id: string): void;
  /** The broker wants the record again, after what made it refuse has changed. It drops what follows until then. */
  rewind(): void;
};

export type OutboxOwner = {
  /** Whether sealing makes sense now; may set in motion what is missing. */
  ready(): boolean;
  /** @throws MeshError when this row can't be sealed */
  seal(row: OutboxRow): Promise<Uint8Array>;
  /** Whether rows for that label can wait while others go out: a rewind comes when they needn't any more. */
  canWait(label: string): boolean;
  transmit(records: readonly Uint8Array[]): void;
  /** This row alone is settled, refused for good. */
  refuse(row: OutboxRow, why: MeshError): void;
};

/** Sealed and written together, so that a burst shares writes and the broker's commit. */
const BURST = 32;
const HANDFUL = 16;

export function createOutbox(replica: Replica, owner: OutboxOwner, log: Log): Outbox {
  /** Position of the last row transmitted on this link. */
  let position = 0;
  const inFlight = new Set<string>();
  let isUp = false;
  /** Counts links and rewinds: what was sealed before one isn't sent after it. */
  let generation = 0;

  const reset = () => {
    position = 0;
    inFlight.clear();
    generation++;
  };

  /** Never throws: others are sealed meanwhile. */
  const sealing = (row: OutboxRow): Promise<{ record: Uint8Array } | { error: unknown }> =>
    owner.seal(row).then(
      (record) => ({ record }),
      (error) => ({ error }),
    );

  const run = async () => {
    while (isUp && owner.ready()) {
      const room = Math.min(BURST, LIMITS.sendWindow - inFlight.size);
      const waiting = room > 0 ? replica.outbox(position, room + 1) : [];
      // Where more waits than has room, no handful goes: as few as are acknowledged at a time, each would cost commits.
      if (waiting.length === 0 || (waiting.length > room && room < HANDFUL)) return;
      const rows = waiting.slice(0, room);
      const started = generation;
      const sealed: { row: OutboxRow; record: Uint8Array }[] = [];
      let passed = 0;
      // Appends side by side; a put after what was sealed before it, since it may expect exactly that.
      const begun = rows.map((row) => (row.put ? null : sealing(row)));
      for (const [i, row] of rows.entries()) {
        const outcome = await (begun[i] ?? sealing(row));
        if ("record" in outcome) {
          sealed.push({ row, record: outcome.record });
          continue;
        }
        const { error } = outcome;
        if (!(error instanceof MeshError)) throw error;
        if (error.code === "waiting_for_key" && owner.canWait(row.label)) {
          passed = row.position;
          continue;
        }
        if (error.code === "waiting_for_key") return;
        owner.refuse(row, error);
        break;
      }
      if (generation !== started) continue;
      for (const { row } of sealed) {
        inFlight.add(row.id);
        position = row.position;
      }
      position = Math.max(position, passed);
      owner.transmit(sealed.map(({ record }) => record));
    }
  };

  const pump = createWorker(run, (error) => log.error({ error: String(error) }, "the outbox stopped"));

  return {
    pump,
    linkUp() {
      reset();
      isUp = true;
      pump();
    },
    linkDown() {
      reset();
      isUp = false;
    },
    acked(id) {
      if (inFlight.delete(id)) pump();
    },
    rewind() {
      reset();
      pump();
    },
  };
}
