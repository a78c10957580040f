// A broker that is asked to end while everybody talks.
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqliteStore } from "#broker/adapters/sqlite-store.ts";
import { encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import {
  type CrowdDevice,
  connectDevice,
  type DeviceSocket,
  foundWorkspace,
  type Said,
} from "#test/crowd.ts";
import { recordBytes } from "#test/raw-device.ts";
import { inboxOf, listenAt, numbered, sayMany } from "./stream.ts";
import { type Broker, createPair, createWorld } from "./world.ts";

const DEVICES = 40;

/** A workspace in that broker's store, with devices that are connected. */
async function crowdAt(broker: Broker) {
  const store = openSqliteStore(join(broker.data, "broker.db"));
  const { devices } = await foundWorkspace(store, "acme", DEVICES);
  const sockets = await Promise.all(devices.map((device) => connectDevice(broker.url, device)));
  return { store, devices, sockets };
}

/** Sends until the broker ends it; answers what was acknowledged, and what was said last. */
async function sendUntilTold(socket: DeviceSocket, { member, device, head }: CrowdDevice) {
  const acked: string[] = [];
  const said = { from: member, dev: device.id, to: EVERYONE, head };
  const send = () => socket.ws.send(encodeRecordFrame({ type: "send" }, recordBytes(said)));
  for (let i = 0; i < 16; i++) send();
  let lastWord: Said = {};
  socket.ws.on("message", (data, isBinary) => {
    if (isBinary) return;
    const frame = JSON.parse(String(data));
    if (frame.type === "error") lastWord = frame;
    if (frame.type !== "ack") return;
    acked.push(frame.id);
    send();
  });
  await socket.closed;
  return { acked, lastWord };
}

test("SIGTERM under load: what was acknowledged is kept, each is told its own time to come back, it ends with 0", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const { store, devices, sockets } = await crowdAt(broker);
  const talking = sockets.map((socket, i) => sendUntilTold(socket, devices[i] as CrowdDevice));
  await sockets[0]?.next("ack");
  expect(await broker.signal("SIGTERM")).toBe(0);
  const ends = await Promise.all(talking);

  const acked = ends.flatMap((end) => end.acked);
  expect(acked.length).toBeGreaterThan(0);
  const { workspace, member: sender } = devices[0] as CrowdDevice;
  const places = await store.places(acked.map((id) => ({ workspace, sender, id })));
  expect(places.filter((place) => place === null)).toEqual([]);
  await store.close();

  expect(ends.map(({ lastWord }) => lastWord.code)).toEqual(ends.map(() => "busy"));
  const times = ends.map(({ lastWord }) => Number(lastWord.retryAfterMs));
  expect(Math.min(...times)).toBeGreaterThan(1000);
  expect(new Set(times).size).toBeGreaterThan(1);
});

test("daemons whose broker is ended and started again come back, and nothing is lost or twice", async () => {
  const { broker, alice, bob } = await createPair();
  const heard = await listenAt(bob);
  const said = numbered("a", 200);
  await sayMany(alice, "bob", said, {
    count: 80,
    run: async () => expect(await broker.signal("SIGTERM")).toBe(0),
  });
  await broker.restart();
  await heard.count(said.length);
  await alice.ok("send", "bob", "the end", "--wait", "delivered", "--timeout", "30s");
  expect(await inboxOf(bob)).toEqual([...said, "the end"]);
});

test("a second SIGTERM ends it at once, whoever is still connected", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const { store, sockets } = await crowdAt(broker);
  await store.close();
  // One that hears nothing any more, and so doesn't go.
  sockets[0]?.ws.pause();
  expect(await broker.signal("SIGTERM", 2)).toBe(1);
});
