/**
 * Feeds one connection its records: backfill from the store, then cut over to live frames, under flow credit.
 * A connection that is live and has credit gets the shared frame; one that lags reads pages, each once the one before
 * is with the kernel. Nothing is queued here, so a slow reader costs its own delay and little memory, and one that
 * gives credit without reading gets no more than one that doesn't.
 */
import { MeshError } from "#protocol/errors.ts";
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Clock, Socket } from "#protocol/ports.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { BrokerLimits } from "../limits.ts";
import { isHeldBack } from "../log/blocks.ts";
import type { WorkspaceLog } from "../log/log.ts";
import type { Metrics } from "../metrics.ts";
import type { LogRecord, Store } from "../store/store.ts";

export type Feeder = {
  /** Live frames of one commit, in order. */
  offer(frames: readonly { seq: number; frame: Uint8Array }[]): void;
  /** The device has taken in so much. */
  credit(records: number, bytes: number): void;
  /** Tells how far the connection is complete; gives up a device that has taken in nothing for too long. */
  heartbeat(): void;
  isLagging(): boolean;
  /** Begins to push what comes after `cursor`. */
  start(cursor: number): void;
  stop(): void;
};

type Reader = { member: string; labels: ReadonlySet<string> };

type FeederPorts = { store: Store; clock: Clock; metrics: Metrics; limits: BrokerLimits };

export function createFeeder(
  { store, clock, metrics, limits }: FeederPorts,
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
  /** Since when something waits for credit. */
  let starvedAt: number | null = null;

  const hasCredit = () => records > 0 && bytes > 0;

  const lag = () => {
    state = "lagging";
    if (!hasCredit()) starvedAt ??= clock.now();
  };

  const spend = (size: number) => {
    records--;
    bytes -= size;
  };

  /** What of them this device is to have. */
  const shownOf = (records: readonly LogRecord[]) => {
    if (!log.blocks.has(reader.member)) return records;
    return records.filter(({ seq, bytes: record }) => {
      const { header } = decodeRecord(record);
      return !isHeldBack(log, reader.member, { seq, header });
    });
  };

  /** Pages until the store has nothing newer than what was pushed, or credit runs out. */
  const backfill = async () => {
    if (state !== "lagging") return;
    state = "reading";
    while (state === "reading" && hasCredit()) {
      await socket.drained();
      if (state !== "reading") return;
      const labels = [...reader.labels];
      const selection = {
        after: cursor,
        labels,
        sender: reader.member,
        maxRecords: records,
        maxBytes: Math.min(bytes, limits.pageBytes),
      };
      const page = await store.select(log.id, selection);
      if (state !== "reading") return;
      const shown = shownOf(page.records);
      metrics.count("pushed_records", shown.length);
      const last = shown.length - 1;
      socket.sendAll(
        shown.map(({ seq, at, bytes: record }, i) => {
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
        tell();
        return;
      }
    }
    if (state === "reading") lag();
  };

  const tell = () => {
    if (state === "live") socket.send(encodeFrame({ type: "heartbeat", through: log.head }));
    else if (state !== "stopped") socket.send(encodeFrame({ type: "heartbeat", through: cursor }));
  };

  const pump = () => {
    backfill().catch(onError);
  };

  return {
    offer(frames) {
      if (state !== "live") return;
      const isFull = socket.buffered() >= limits.pushBuffer;
      const sent: Uint8Array[] = [];
      for (const { seq, frame } of frames) {
        if (isFull || !hasCredit()) {
          cursor = seq - 1;
          lag();
          break;
        }
        spend(frame.length);
        sent.push(frame);
      }
      metrics.count("pushed_records", sent.length);
      socket.sendAll(sent);
      // Without credit it is the credit that sets it going again.
      if (isFull) pump();
    },
    credit(givenRecords, givenBytes) {
      starvedAt = null;
      records = Math.min(LIMITS.pushRecords, records + givenRecords);
      bytes = Math.min(LIMITS.pushBytes, bytes + givenBytes);
      pump();
    },
    heartbeat() {
      if (starvedAt !== null && clock.now() - starvedAt > limits.stallMs) {
        metrics.count("limited", 1, "credit");
        onError(new MeshError("timeout", "The device took in nothing for too long.", "Connect again."));
      } else tell();
    },
    isLagging: () => state === "lagging" || state === "reading",
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
