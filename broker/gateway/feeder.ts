/**
 * Feeds one connection its records: backfill from the store, then cut over to live frames, under flow credit.
 * A connection that is live and has credit gets the shared frame; one that lags reads pages. Nothing is queued here,
 * so a slow reader costs its own delay and no memory.
 */
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Socket } from "#protocol/ports.ts";
import type { WorkspaceLog } from "../log/log.ts";
import type { Store } from "../store/store.ts";

export type Feeder = {
  /** Live frames of one commit, in order. */
  offer(frames: readonly { seq: number; frame: Uint8Array }[]): void;
  /** The device has taken in so much. */
  credit(records: number, bytes: number): void;
  /** Tells how far the connection is complete, if it is live. */
  heartbeat(): void;
  /** Begins to push what comes after `cursor`. */
  start(cursor: number): void;
  stop(): void;
};

type Reader = { member: string; labels: ReadonlySet<string> };

export function createFeeder(
  store: Store,
  log: WorkspaceLog,
  reader: Reader,
  socket: Socket,
  onError: (error: unknown) => void,
): Feeder {
  /** Everything at or below it was pushed. Only meaningful while lagging. */
  let cursor = 0;
  let records: number = LIMITS.pushRecords;
  let bytes: number = LIMITS.pushBytes;
  let state: "lagging" | "reading" | "live" | "stopped" = "stopped";

  const hasCredit = () => records > 0 && bytes > 0;

  const spend = (size: number) => {
    records--;
    bytes -= size;
  };

  /** Pages until the store has nothing newer than what was pushed, or credit runs out. */
  const backfill = async () => {
    if (state !== "lagging") return;
    state = "reading";
    while (state === "reading" && hasCredit()) {
      const labels = [...reader.labels];
      const selection = {
        after: cursor,
        labels,
        sender: reader.member,
        maxRecords: records,
        maxBytes: bytes,
      };
      const page = await store.select(log.id, selection);
      if (state !== "reading") return;
      const last = page.records.length - 1;
      socket.sendAll(
        page.records.map(({ seq, at, bytes: record }, i) => {
          const frame = encodeRecordFrame(
            { type: "push", seq, at, through: i === last ? page.through : seq },
            record,
          );
          spend(frame.length);
          return frame;
        }),
      );
      cursor = page.through;
      // No commit can slip between this look at the head and the switch: both happen in one turn.
      if (cursor >= log.head) {
        state = "live";
        heartbeat();
        return;
      }
    }
    if (state === "reading") state = "lagging";
  };

  const heartbeat = () => {
    if (state === "live") socket.send(encodeFrame({ type: "heartbeat", through: log.head }));
    else if (state !== "stopped") socket.send(encodeFrame({ type: "heartbeat", through: cursor }));
  };

  const pump = () => {
    backfill().catch(onError);
  };

  return {
    offer(frames) {
      if (state !== "live") return;
      const sent: Uint8Array[] = [];
      for (const { seq, frame } of frames) {
        if (!hasCredit()) {
          cursor = seq - 1;
          state = "lagging";
          break;
        }
        spend(frame.length);
        sent.push(frame);
      }
      socket.sendAll(sent);
    },
    credit(givenRecords, givenBytes) {
      records = Math.min(LIMITS.pushRecords, records + givenRecords);
      bytes = Math.min(LIMITS.pushBytes, bytes + givenBytes);
      pump();
    },
    heartbeat,
    start(from) {
      cursor = from;
      state = "lagging";
      pump();
    },
    stop() {
      state = "stopped";
    },
  };
}
