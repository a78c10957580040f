/**
 * History pages for one connection, one after the other: the next is read once the one before is with the kernel, and
 * a page ends by size. So who asks for much, and reads slowly, is given it slowly.
 */
import { encodeFrame, encodeRecordFrame, type FromDevice } from "#protocol/frames.ts";
import type { Socket } from "#protocol/ports.ts";
import type { BrokerLimits } from "../limits.ts";
import type { Store } from "../store/store.ts";
import { busy } from "./busy.ts";

type Read = Extract<FromDevice, { type: "read" }>;

export type Reading = {
  /** Resolves when the page was sent. @throws MeshError busy when too many wait already */
  page(frame: Read): Promise<void>;
  stop(): void;
};

const SOON_MS = 1000;

export function createReading(
  store: Store,
  workspace: string,
  socket: Socket,
  limits: BrokerLimits,
): Reading {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  let stopped = false;

  const send = async ({ request, label, before, limit }: Read) => {
    await socket.drained();
    if (stopped) return;
    const records = await store.history(workspace, label, before, limit, limits.pageBytes);
    const size = records.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const more = records.length === limit || size >= limits.pageBytes;
    socket.sendAll([
      ...records.map(({ seq, at, bytes }) => encodeRecordFrame({ type: "item", request, seq, at }, bytes)),
      encodeFrame({ type: "page", request, more }),
    ]);
  };

  return {
    page(frame) {
      if (waiting >= limits.waitingReads) throw busy("This connection reads too much at once.", SOON_MS);
      waiting++;
      const sent = last.then(() => send(frame)).finally(() => waiting--);
      last = sent.catch(() => {});
      return sent;
    },
    stop() {
      stopped = true;
    },
  };
}
