// A broker whose disk is full, and one whose disk fails.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { openSqliteStore } from "#broker/adapters/sqlite-store.ts";
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import { decodeRecord } from "#protocol/record.ts";
import {
  type CrowdDevice,
  connectDevice,
  type DeviceSocket,
  foundWorkspace,
  type Said,
} from "#test/crowd.ts";
import { recordBytes } from "#test/raw-device.ts";
import { mountSmallDisk } from "./small-disk.ts";
import { inboxOf, numbered } from "./stream.ts";
import { eventually } from "./waiting.ts";
import { type Broker, createWorld } from "./world.ts";

const RECORD_BYTES = 20_000;

async function crowdAt(broker: Broker) {
  const store = openSqliteStore(join(broker.data, "broker.db"));
  const { devices, head } = await foundWorkspace(store, "acme", 2);
  await store.close();
  const [writer, reader] = devices;
  if (!writer || !reader) throw new Error("there are two");
  return { writer, reader, head };
}

const newRecord = ({ member, device, head }: CrowdDevice) =>
  recordBytes({ from: member, dev: device.id, to: EVERYONE, head }, new Uint8Array(RECORD_BYTES));

async function acknowledged(socket: DeviceSocket, record: Uint8Array): Promise<string> {
  const answer = await answerTo(socket, record);
  expect(answer).toMatchObject({ type: "ack" });
  return String(answer.id);
}

/** What the broker answers to the record. */
async function answerTo(socket: DeviceSocket, record: Uint8Array): Promise<Said> {
  const { id } = decodeRecord(record).header;
  socket.ws.send(encodeRecordFrame({ type: "send" }, record));
  socket.ws.send(encodeFrame({ type: "received", records: LIMITS.pushRecords, bytes: LIMITS.pushBytes }));
  for (;;) {
    const said = await socket.next();
    if (said.id === id) return said;
  }
}

test("a full disk refuses for now; reads go on; with room again all goes on, and nothing is lost", async ({
  skip,
}) => {
  const disk = mountSmallDisk(3);
  if (!disk) return skip("a disk that is full takes the right to mount one");
  const broker = await createWorld().broker(undefined, { data: disk.path });
  const { writer, reader, head } = await crowdAt(broker);
  const socket = await connectDevice(broker.url, writer);
  const acked: string[] = [];
  let refused = newRecord(writer);
  for (;;) {
    const answer = await answerTo(socket, refused);
    if (answer.type === "error") {
      expect(answer).toMatchObject({ code: "storage_full", retry: true, retryAfterMs: expect.any(Number) });
      break;
    }
    acked.push(String(answer.id));
    refused = newRecord(writer);
  }
  expect(acked.length).toBeGreaterThan(10);

  const other = await connectDevice(broker.url, reader);
  await eventually(async () => {
    other.ws.send(encodeFrame({ type: "received", records: 64, bytes: LIMITS.pushBytes }));
    return other.records() === head + acked.length;
  }, "all that was acknowledged");
  other.ws.send(encodeFrame({ type: "read", request: 1, label: EVERYONE, before: 1000, limit: 5 }));
  expect(await other.next("page")).toMatchObject({ request: 1 });
  expect(await answerTo(socket, refused)).toMatchObject({ code: "storage_full" });

  disk.grow(50);
  expect(await answerTo(socket, refused)).toMatchObject({ type: "ack", seq: head + acked.length + 1 });
  for (let i = 0; i < 20; i++) acked.push(await acknowledged(socket, newRecord(writer)));
  expect(await broker.signal("SIGTERM")).toBe(0);
  const store = openSqliteStore(join(broker.data, "broker.db"));
  const places = await store.places(
    acked.map((id) => ({ workspace: writer.workspace, sender: writer.member, id })),
  );
  expect(places.filter((place) => place === null)).toEqual([]);
  await store.close();
});

test("people whose broker has no room wait for it, and what they said arrives", async ({ skip }) => {
  const disk = mountSmallDisk(2);
  if (!disk) return skip("a disk that is full takes the right to mount one");
  const world = createWorld();
  const broker = await world.broker(undefined, { data: disk.path });
  const [alice, bob] = [await world.person("alice", broker), await world.person("bob", broker)];
  await world.team(alice, bob);
  const said = numbered("a", 30).map((text) => text.padEnd(100_000, "."));
  for (const text of said) await alice.ok("send", "bob", text);
  const isHeldUp = async () =>
    (await alice.ok("status")).workspaces.some((one: { outbox: number }) => one.outbox > 0);
  await eventually(isHeldUp, "something to be held up");
  disk.grow(50);
  await eventually(async () => (await inboxOf(bob)).length === said.length, "all of it");
  expect(await inboxOf(bob)).toEqual(said);
});

const hasTracer = spawnSync("strace", ["-V"]).status === 0;
if (!hasTracer) console.log("skipped: making syncs fail takes strace");

test.skipIf(!hasTracer).each([15, 16, 18, 25])(
  "a disk that fails at the %ith sync ends the broker; what was acknowledged is there when it works again",
  async (sync) => {
    const inject = `inject=fsync,fdatasync:error=EIO:when=${sync}+`;
    const tracer = [
      "strace",
      "-f",
      "-qq",
      "-o",
      "/dev/null",
      "-e",
      "trace=fsync,fdatasync",
      "-e",
      inject,
    ] as const;
    const world = createWorld();
    const broker = await world.broker(undefined, { launch: [...tracer, launcherPath] });
    const { writer } = await crowdAt(broker);
    const socket = await connectDevice(broker.url, writer);
    const acked: string[] = [];
    const sending = async () => {
      for (;;) acked.push(await acknowledged(socket, newRecord(writer)));
    };
    await expect(sending()).rejects.toThrow("the connection ended");
    expect(await broker.ended()).toBe(1);
    expect(acked.length).toBeGreaterThan(0);

    const again = await world.broker(undefined, { data: broker.data });
    const fresh = await connectDevice(again.url, writer);
    await acknowledged(fresh, newRecord(writer));
    const store = openSqliteStore(join(broker.data, "broker.db"));
    const places = await store.places(
      acked.map((id) => ({ workspace: writer.workspace, sender: writer.member, id })),
    );
    expect(places.filter((place) => place === null)).toEqual([]);
    await store.close();
  },
);
