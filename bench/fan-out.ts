/** One record to everyone: from its sending until the last of 1,000 connections has it. The floor's server has no log. */
import type WebSocket from "ws";
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { type CrowdDevice, connectDevice, foundWorkspace, openSocket } from "#test/crowd.ts";
import { recordBytes } from "#test/raw-device.ts";
import { withBareServer } from "./bare-server.ts";
import { withBroker } from "./broker.ts";
import { type Bench, timed } from "./figure.ts";

const RECEIVERS = 1000;
const RUNS = 60;
const WARM_UP = 20;
const RECORD_BYTES = 400;
/** The broker admits so many at once, and a daemon would come back by itself. */
const AT_ONCE = 100;

export const fanOut: Bench = {
  name: "fan-out",
  run: () =>
    withBroker(
      (store) => foundWorkspace(store, "acme", RECEIVERS),
      async (broker, { devices, logId, head }) => {
        const [sender] = devices;
        if (!sender) throw new Error("no devices");
        const frames = Array.from({ length: RUNS + WARM_UP }, () => frameOf(sender));
        return withBareServer(frames[0]?.length ?? 0, async (server) => {
          const greeted = await inGroups(devices, async (one) => {
            const { ws } = await connectDevice(broker.url, one, { logId, cursor: head });
            return ws;
          });
          const bare = await inGroups(devices, async () => (await openSocket(server.url)).ws);
          const measured: number[] = [];
          const floor: number[] = [];
          for (const [i, frame] of frames.entries()) {
            const took = await timed(() => broadcast(greeted, frame));
            const least = await timed(() => broadcast(bare, frame));
            for (const ws of greeted)
              ws.send(encodeFrame({ type: "received", records: 1, bytes: frame.length + 100 }));
            if (i < WARM_UP) continue;
            measured.push(took);
            floor.push(least);
          }
          for (const ws of [...greeted, ...bare]) ws.terminate();
          const name = `broadcast until the last of ${RECEIVERS.toLocaleString("en-US")} has it`;
          const floorName = "a bare ws server with one prebuilt frame";
          return [{ name, measured, floor, floorName, target: "≤ 1.5 × floor" }];
        });
      },
    ),
};

function frameOf({ member, device, head }: CrowdDevice): Uint8Array {
  const said = { from: member, dev: device.id, to: EVERYONE, head };
  return encodeRecordFrame({ type: "send" }, recordBytes(said, new Uint8Array(RECORD_BYTES)));
}

async function inGroups<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let i = 0; i < all.length; i += AT_ONCE)
    done.push(...(await Promise.all(all.slice(i, i + AT_ONCE).map(work))));
  return done;
}

/** The first says it; resolves when each has heard a record. */
async function broadcast(sockets: readonly WebSocket[], frame: Uint8Array): Promise<void> {
  const heard = Promise.all(sockets.map(nextRecord));
  sockets[0]?.send(frame);
  await heard;
}

/** No `once`: two frames may come in one turn. */
function nextRecord(ws: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const hear = (_: unknown, isBinary: boolean) => {
      if (!isBinary) return;
      ws.off("message", hear);
      resolve();
    };
    ws.on("message", hear);
  });
}
