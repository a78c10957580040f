// Readers that are slow, or don't read at all, on real sockets: what they may cost, and that the slow ones miss nothing.
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import type WebSocket from "ws";
import { systemClock } from "#adapters/clock.ts";
import { decodeRecordFrame, encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import { connectDevice, fillLog, foundWorkspace } from "#test/crowd.ts";
import { listeningBroker } from "#test/listening-broker.ts";
import { wsPair } from "#test/ws-pair.ts";
import { openSqliteStore } from "../adapters/sqlite-store.ts";
import { BROKER_LIMITS } from "../limits.ts";
import type { WorkspaceLog } from "../log/log.ts";
import { noMetrics } from "../metrics.ts";
import { boundedSocket } from "./bounded.ts";
import { createFeeder } from "./feeder.ts";
import { createReading } from "./reading.ts";

const COUNT = 400;
const BYTES = 100_000;
/** What Node takes in beyond what it was told to hold back: a page, its last record, and one write's leave. */
const ONE_PAGE = BROKER_LIMITS.pageBytes + BYTES + 64 * 1024;

/** 40 MB of records, and a feeder for one reader of them, whose credit never ends. */
async function fed() {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  const { devices, head } = await foundWorkspace(store, "acme", 1);
  const [device] = devices;
  if (!device) throw new Error("there is one");
  await fillLog(store, device, head, { count: COUNT, bytes: BYTES });
  const { client, socket } = await wsPair();
  const seen: number[] = [];
  client.on("message", (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return;
    const { outer } = decodeRecordFrame(data);
    if (outer.type !== "send") seen.push(outer.seq);
  });
  const log: WorkspaceLog = {
    id: device.workspace,
    logId: "log",
    head: head + COUNT,
    floor: 0,
    chain: null,
    guards: new Map(),
    blocks: new Map(),
    pending: 0,
  };
  const failures: unknown[] = [];
  const ports = { store, clock: systemClock, metrics: noMetrics, limits: BROKER_LIMITS };
  const reader = { member: "", labels: new Set([EVERYONE]) };
  const feeder = createFeeder(ports, log, reader, socket, (error) => failures.push(error));
  onTestFinished(feeder.stop);
  const all = Array.from({ length: COUNT }, (_, i) => head + 1 + i);
  const credit = () => feeder.credit(LIMITS.pushRecords, LIMITS.pushBytes);
  return { store, log, head, client, socket, feeder, seen, all, credit, failures };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** So many turns of the event loop, `work` in each. */
async function turns(count: number, work: () => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    work();
    await turn();
  }
}

async function until(client: WebSocket, check: () => boolean): Promise<void> {
  while (!check()) await once(client, "message");
}

test("who gives credit and doesn't read is sent no more than a page beyond what the kernel takes", async () => {
  const { client, socket, feeder, credit } = await fed();
  client.pause();
  let most = 0;
  feeder.start(0);
  await turns(2000, () => {
    credit();
    most = Math.max(most, socket.buffered());
  });
  expect(most).toBeLessThan(ONE_PAGE);
  expect(feeder.isLagging()).toBe(true);
});

test("who reads slowly gets every record, in order, once", async () => {
  const { client, feeder, head, all, seen, credit, failures } = await fed();
  feeder.start(head);
  client.on("message", () => {
    credit();
    client.pause();
    setImmediate(() => client.resume());
  });
  await until(client, () => seen.length === all.length);
  expect(seen).toEqual(all);
  expect(feeder.isLagging()).toBe(false);
  expect(failures).toEqual([]);
});

test("live frames are held back from who doesn't read, and come by pages once it reads again", async () => {
  const { store, log, client, socket, feeder, seen, credit } = await fed();
  feeder.start(log.head);
  await until(client, () => !feeder.isLagging());
  client.pause();
  const first = log.head + 1;
  const [written] = (
    await store.select(log.id, {
      after: log.head - 1,
      labels: [EVERYONE],
      sender: "",
      maxRecords: 1,
      maxBytes: 1,
    })
  ).records;
  if (!written) throw new Error("there are records");
  let most = 0;
  for (let i = 0; i < COUNT; i++) {
    const seq = log.head + 1;
    const at = 1;
    await store.commit({
      workspaces: [],
      invites: [],
      records: [
        {
          workspace: log.id,
          seq,
          at,
          sender: "x",
          id: `id-${seq}`,
          label: EVERYONE,
          bytes: written.bytes,
          cell: null,
        },
      ],
    });
    log.head = seq;
    feeder.offer([{ seq, frame: encodeRecordFrame({ type: "push", seq, at, through: seq }, written.bytes) }]);
    credit();
    most = Math.max(most, socket.buffered());
    await turn();
  }
  expect(most).toBeLessThan(BROKER_LIMITS.pushBuffer + ONE_PAGE);
  expect(feeder.isLagging()).toBe(true);
  client.on("message", credit);
  client.resume();
  await until(client, () => seen.length === COUNT);
  expect(seen).toEqual(Array.from({ length: COUNT }, (_, i) => first + i));
});

test("history is read page by page for who doesn't read it, and all of it comes once it does", async () => {
  const { store, log, client, socket, head, seen } = await fed();
  const waitingReads = 200;
  const reading = createReading(store, log.id, socket, { ...BROKER_LIMITS, waitingReads });
  client.pause();
  // Far more pages than the kernel takes in, and each of what would be 20 MB.
  const asked = Array.from({ length: waitingReads }, (_, i) =>
    reading.page({ type: "read", request: i + 1, label: EVERYONE, before: log.head + 1, limit: 200 }),
  );
  let most = 0;
  await turns(500, () => {
    most = Math.max(most, socket.buffered());
  });
  expect(most).toBeLessThan(ONE_PAGE);
  client.resume();
  await Promise.all(asked);
  await until(client, () => seen.length === 2 * waitingReads);
  expect(seen.slice(0, 2)).toEqual([head + COUNT, head + COUNT - 1]);
});

test("who never gives credit gets one window, and is given up after a while", async () => {
  const broker = await listeningBroker({ stallMs: 300 }, { heartbeatMs: 50 });
  const { devices, head } = await foundWorkspace(broker.store, "acme", 1);
  const [device] = devices;
  if (!device) throw new Error("there is one");
  await fillLog(broker.store, device, head, { count: COUNT, bytes: 300 });
  const socket = await connectDevice(broker.url, device);
  expect(await socket.next("error")).toMatchObject({ code: "timeout" });
  expect(await socket.closed).toBe(1008);
  expect(socket.records()).toBe(LIMITS.pushRecords);
});

test("whatever piles up for who doesn't read, it ends the connection before it is too much", async () => {
  const { client, socket } = await wsPair();
  client.pause();
  const most = 1024 * 1024;
  let isOver = false;
  const bounded = boundedSocket(socket, most, () => {
    isOver = true;
  });
  const text = encodeFrame({ type: "heartbeat", through: 1 }).padEnd(1000);
  let sent = 0;
  while (!isOver) {
    bounded.send(text);
    if (++sent % 100 === 0) await turn();
  }
  await turns(10, () => bounded.sendAll([text, text]));
  expect(socket.buffered()).toBeLessThan(most + 2000);
});
