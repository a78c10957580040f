/**
 * What a commit waits for while three devices catch up on 50,000 records each: from a record's sending to its ack, at a
 * broker that is a process of its own. The floor is the same with nobody catching up.
 */
import { openSqliteStore } from "#broker/adapters/sqlite-store.ts";
import type { Store } from "#broker/store/store.ts";
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import { type CrowdDevice, connectDevice, type DeviceSocket, fillLog, foundWorkspace } from "#test/crowd.ts";
import { recordBytes } from "#test/raw-device.ts";
import { withBroker } from "./broker.ts";
import { type Bench, rateOf, timed } from "./figure.ts";

const RECORDS = 50_000;
const RECORD_BYTES = 400;
const READERS = 3;
const RUNS = 1000;

type Filled = { sender: CrowdDevice; readers: CrowdDevice[]; head: number; logId: string };

async function fill(store: Pick<Store, "commit">): Promise<Filled> {
  const { devices, head, logId } = await foundWorkspace(store, "acme", 1 + READERS);
  const [sender, ...readers] = devices;
  if (!sender) throw new Error("no devices");
  await fillLog(store, sender, head, { count: RECORDS, bytes: RECORD_BYTES });
  return { sender, readers, head: head + RECORDS, logId };
}

export const catchUp: Bench = {
  name: "catch-up",
  run: () =>
    withBroker(fill, async (broker, { sender, readers, head, logId }) => {
      const device = await connectDevice(broker.url, sender, { logId, cursor: head });
      const send = sending(device, sender);
      const floor = await send(RUNS);
      let records = 0;
      const start = performance.now();
      const reading = readers.map(async (reader) => {
        records += await readAll(await connectDevice(broker.url, reader), head);
      });
      const measured: number[] = [];
      const all = Promise.all(reading).then(() => true);
      while (!(await Promise.race([all, send(20).then((times) => void measured.push(...times))])));
      const perSecond = (records / (performance.now() - start)) * 1000;
      device.ws.terminate();
      return [
        {
          name: `records that a broker pushes to ${READERS} that catch up, together`,
          unit: "/s",
          measured: [perSecond],
          floor: await bareReading(RECORDS),
          floorName: "its store read alone, a page after the other",
          target: "≥ 20,000 /s",
        },
        {
          name: `a commit's acknowledgement while ${READERS} catch up`,
          measured,
          floor,
          floorName: "while nobody catches up",
          target: "none",
        },
      ];
    }),
};

/** Sends one record after the other, each when the one before is acknowledged, and answers how long each took. */
function sending(socket: DeviceSocket, { member, device, head }: CrowdDevice) {
  giveCredit(socket);
  return async (count: number): Promise<number[]> => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const said = { from: member, dev: device.id, to: EVERYONE, head };
      const record = recordBytes(said, new Uint8Array(RECORD_BYTES));
      times.push(
        await timed(() => {
          socket.ws.send(encodeRecordFrame({ type: "send" }, record));
          return socket.next("ack");
        }),
      );
    }
    return times;
  };
}

/** As a daemon does that commits 64 at a time. */
function giveCredit({ ws, records }: DeviceSocket): void {
  let credited = 0;
  ws.on("message", () => {
    if (records() - credited < 64) return;
    ws.send(encodeFrame({ type: "received", records: records() - credited, bytes: LIMITS.pushBytes }));
    credited = records();
  });
}

/** Resolves with how many records came, once the device had what was there when it began. */
function readAll(socket: DeviceSocket, head: number): Promise<number> {
  giveCredit(socket);
  return new Promise((resolve, reject) => {
    socket.closed.then(() => reject(new Error("a reader was cut off")));
    socket.ws.on("message", () => {
      if (socket.records() < head) return;
      resolve(socket.records());
      socket.ws.terminate();
    });
  });
}

async function bareReading(count: number): Promise<number[]> {
  const store = openSqliteStore(":memory:");
  const { readers, head } = await fill(store);
  const [reader] = readers;
  if (!reader) throw new Error("no readers");
  const page = { labels: [EVERYONE], sender: reader.member, maxRecords: 256, maxBytes: LIMITS.pushBytes };
  const rate = await rateOf(count, async () => {
    for (let after = 0; after < head; )
      after = (await store.select(reader.workspace, { ...page, after })).through;
  });
  await store.close();
  return [rate];
}
