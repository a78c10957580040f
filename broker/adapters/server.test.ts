// Real sockets: what other ends that are hostile, dead or lost do to a broker that listens.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { connectDevice, foundWorkspace, openSocket, UPGRADE } from "#test/crowd.ts";
import { type ListeningBroker, listeningBroker } from "#test/listening-broker.ts";

async function tcp({ port }: ListeningBroker): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** A WebSocket spoken by hand, past its handshake. */
async function upgraded(broker: ListeningBroker, more = ""): Promise<Socket> {
  const socket = await tcp(broker);
  socket.write(`${UPGRADE}${more}\r\n\r\n`);
  await once(socket, "data");
  return socket;
}

async function isWell({ url }: ListeningBroker): Promise<boolean> {
  return (await fetch(`${url}/health`)).ok;
}

test("a frame that says it has a gigabyte is refused by its head", async () => {
  const broker = await listeningBroker();
  const socket = await upgraded(broker);
  const ended = once(socket, "close");
  // FIN and binary, masked, a length of 64 bits: 1 GiB.
  socket.write(Buffer.from("82ff0000000040000000", "hex"));
  await ended;
  expect(await isWell(broker)).toBe(true);
});

test.each([
  ["what isn't HTTP", Buffer.from([0, 1, 2, 3, 255, 254, 13, 10, 13, 10])],
  ["HTTP with a head that is too long", Buffer.from(`GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}\r\n\r\n`)],
  ["a page's WebSocket", Buffer.from(`${UPGRADE}\r\nOrigin: http://page.test\r\n\r\n`)],
  [
    "another upgrade",
    Buffer.from("GET / HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
  ],
])("%s ends its own connection", async (_, bytes) => {
  const broker = await listeningBroker();
  const socket = await tcp(broker);
  const ended = once(socket, "close");
  socket.write(bytes);
  socket.resume();
  await ended;
  expect(await isWell(broker)).toBe(true);
});

test.each([
  ["a reserved opcode", "83800000000000"],
  ["a frame without a mask", "810568656c6c6f"],
  ["text that isn't UTF-8", "818200000000fffe"],
])("a WebSocket that speaks rubbish, %s, is ended", async (_, hex) => {
  const broker = await listeningBroker();
  const socket = await upgraded(broker);
  const ended = once(socket, "close");
  socket.resume();
  socket.write(Buffer.from(hex, "hex"));
  await ended;
});

test("who says no hello is told so, and ended", async () => {
  const broker = await listeningBroker({}, { helloMs: 50 });
  const socket = await openSocket(broker.url);
  expect(await socket.next("error")).toMatchObject({ code: "timeout" });
  expect(await socket.closed).toBe(1008);
});

test("who begins a request and doesn't go on is ended", async () => {
  const broker = await listeningBroker({ requestMs: 100 });
  const socket = await tcp(broker);
  const ended = once(socket, "close");
  socket.write("GET /health HTTP/1.1\r\nHost: b\r\nx-slow: ");
  socket.resume();
  await ended;
  expect(await isWell(broker)).toBe(true);
});

test("who floods a broker with pings is ended", async () => {
  const broker = await listeningBroker();
  const socket = await upgraded(broker);
  const ended = once(socket, "close");
  socket.resume();
  for (let i = 0; i < 100; i++) socket.write(Buffer.from("898000000000", "hex"));
  await ended;
});

test("a device that answers no ping is gone; one that does stays", async () => {
  const broker = await listeningBroker({ stallMs: 150 });
  const { devices } = await foundWorkspace(broker.store, "acme", 2);
  const [dead, alive] = await Promise.all(devices.map((device) => connectDevice(broker.url, device)));
  if (!dead || !alive) throw new Error("there are two");
  dead.ws.pause();
  const gone = async () => {
    const health = await (await fetch(`${broker.url}/health`)).text();
    return health.includes('"connections":1,');
  };
  while (!(await gone())) await once(alive.ws, "ping");
  expect(alive.ws.readyState).toBe(alive.ws.OPEN);
});
