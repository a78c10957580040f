/**
 * Takes one connection's records to the log and answers each. It reads on only while few of them wait for their commit:
 * a connection that sends faster than the disk writes is slowed down by its own socket and costs no memory.
 */
import { MeshError } from "#protocol/errors.ts";
import { decodeRecordFrame, encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { CHAIN } from "#protocol/ids.ts";
import type { Socket } from "#protocol/ports.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { BrokerLimits } from "../limits.ts";
import type { Author } from "../log/judge.ts";
import type { Log, WorkspaceLog } from "../log/log.ts";
import type { CountingPorts } from "../ports.ts";
import { busy } from "./busy.ts";
import type { Excess, Pace } from "./pace.ts";

export type Intake = {
  /** `excess`: the connection is beyond its pace. @throws MeshError when the frame is none */
  take(frame: Uint8Array, excess: Excess | null): void;
};

export function createIntake(
  { log, limits, ports }: { log: Log; limits: BrokerLimits; ports: CountingPorts },
  socket: Socket,
  workspace: WorkspaceLog,
  author: Author,
  pace: Pace,
  sendError: (error: unknown, about: { id: string }) => void,
): Intake {
  let records = 0;
  let bytes = 0;
  let paused = false;

  const begin = (size: number) => {
    records++;
    bytes += size;
    if (paused || (records < limits.unsettledRecords && bytes < limits.unsettledBytes)) return;
    paused = true;
    socket.pause();
  };

  const end = (size: number) => {
    records--;
    bytes -= size;
    if (!paused || records > limits.unsettledRecords / 2 || bytes > limits.unsettledBytes / 2) return;
    paused = false;
    socket.resume();
  };

  return {
    take(frame, excess) {
      const { outer, record: recordBytes } = decodeRecordFrame(frame);
      if (outer.type !== "send") {
        throw new MeshError("bad_frame", "A device sends; only the broker pushes.", "Update claudemesh.");
      }
      const record = decodeRecord(recordBytes);
      const { id, to } = record.header;
      // A chain entry is never put off: it stands outside of the order, and who waits for it would give up.
      if (to === CHAIN) pace.charge(limits.chainEntryFrames);
      const refusal =
        excess && to !== CHAIN ? busy("This device sends too much at once.", excess.retryAfterMs) : null;
      begin(frame.length);
      const settle: Parameters<Log["append"]>[3] = (outcome) => {
        end(frame.length);
        if (outcome.type === "stored") socket.send(encodeFrame({ type: "ack", id, ...outcome.place }));
        if (outcome.type === "conflict") {
          const { cell, live } = outcome;
          ports.metrics.count("refused_records", 1, "conflict");
          socket.send(
            encodeRecordFrame({ type: "current", id, seq: cell.seq, at: cell.at, live }, cell.bytes),
          );
        }
        if (outcome.type !== "refused") return;
        ports.metrics.count("refused_records", 1, outcome.error.code);
        sendError(outcome.error, { id });
      };
      log.append(workspace, author, record, settle, refusal);
    },
  };
}
