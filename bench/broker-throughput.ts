/**
 * Records made beforehand, from several connections with a window of 64 each, until the last is acknowledged and has come
 * back as the sender's own. The floor is the broker's store alone, with as many records a commit.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "#broker/adapters/sqlite-store.ts";
import type { Store } from "#broker/store/store.ts";
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import { type CrowdDevice, connectDevice, type DeviceSocket, fillLog, foundWorkspace } from "#test/crowd.ts";
import { recordBytes } from "#test/raw-device.ts";
import { withBroker } from "./broker.ts";
import { type Bench, rateOf } from "./figure.ts";

const CONNECTIONS = 8;
/** A connection's burst is 8,000 frames; acknowledging what comes back costs some as well. */
const EACH = 1500;
const ROUNDS = 3;
const RECORD_BYTES = 400;
const WINDOW = LIMITS.sendWindow;

type Crowd = { device: CrowdDevice; logId: string; head: number };

async function fill(store: Pick<Store, "commit">): Promise<Crowd[]> {
  const crowd: Crowd[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const { devices, logId, head } = await foundWorkspace(store, `team ${i}`, 1);
    const [device] = devices;
    if (device) crowd.push({ device, logId, head });
  }
  return crowd;
}

export const brokerThroughput: Bench = {
  name: "broker-throughput",
  run: () =>
    withBroker(fill, async (broker, crowd) => {
      const senders = await Promise.all(
        crowd.map(async ({ device, logId, head }) => ({
          device,
          socket: await connectDevice(broker.url, device, { logId, cursor: head }),
        })),
      );
      const total = CONNECTIONS * EACH;
      const measured: number[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        const loads = senders.map(({ device }) => framesOf(device));
        const sendAll = () =>
          Promise.all(senders.map(({ socket }, i) => sendWindowed(socket, loads[i] ?? [])));
        measured.push(await rateOf(total, sendAll));
        // Within the pace that one device is allowed.
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      for (const { socket } of senders) socket.ws.terminate();
      return [
        {
          name: "records that a broker commits, acknowledges and hands on",
          unit: "/s",
          measured,
          floor: await bareStore(total),
          floorName: "its store alone, 50 a commit",
          target: "≥ 12,000 /s",
        },
      ];
    }),
};

function framesOf({ member, device, head }: CrowdDevice): Uint8Array[] {
  const said = { from: member, dev: device.id, to: EVERYONE, head };
  return Array.from({ length: EACH }, () =>
    encodeRecordFrame({ type: "send" }, recordBytes(said, new Uint8Array(RECORD_BYTES))),
  );
}

/** At most a window of them unacknowledged. Resolves when all are, and all have come back. */
function sendWindowed({ ws }: DeviceSocket, frames: readonly Uint8Array[]): Promise<void> {
  let sent = 0;
  let acked = 0;
  let pushed = 0;
  return new Promise((resolve, reject) => {
    const pump = () => {
      for (; sent < frames.length && sent - acked < WINDOW; sent++) ws.send(frames[sent] ?? "");
    };
    const hear = (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        if (++pushed % WINDOW === 0)
          ws.send(encodeFrame({ type: "received", records: WINDOW, bytes: LIMITS.pushBytes }));
      } else if (data.includes('"ack"')) {
        acked++;
        if (acked % (WINDOW / 4) === 0) pump();
      } else if (data.includes('"error"')) {
        reject(new Error(data.toString()));
      }
      if (acked < frames.length || pushed < frames.length) return;
      ws.off("message", hear);
      resolve();
    };
    ws.on("message", hear);
    pump();
  });
}

async function bareStore(count: number): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const store = openSqliteStore(join(folder, "broker.db"));
  const [one] = await fill(store);
  if (!one) throw new Error("no devices");
  const commits: Parameters<Store["commit"]>[0][] = [];
  await fillLog({ commit: async (commit) => void commits.push(commit) }, one.device, one.head, {
    count,
    bytes: RECORD_BYTES,
  });
  const rate = await rateOf(count, async () => {
    for (const { records, ...rest } of commits) {
      for (let i = 0; i < records.length; i += 50)
        await store.commit({ ...rest, records: records.slice(i, i + 50) });
    }
  });
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  return [rate];
}
