import { expect, test } from "vitest";
import { LIMITS } from "#protocol/limits.ts";
import type { Timers } from "#protocol/ports.ts";
import type { SocketFrame } from "#protocol/socket.ts";
import { encodeSocketFrame } from "#protocol/socket.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { createServe } from "./connection.ts";
import type { Answer } from "./dispatch.ts";

const HELLO = encodeSocketFrame({ type: "hello", data: { client: "cli", version: "1.0.0" } });
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A client of `answer`, and what becomes of its connection. */
function clientOf(answer: Answer, timers: Timers = createVirtualTime().timers) {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const serve = createServe({ answer, version: "1.0.0", pid: 7, log, timers });
  const heard: SocketFrame[] = [];
  const state = { ended: false, paused: false, unread: 0 };
  const served = serve({
    send: (text) => heard.push(JSON.parse(text.slice(0, -1))),
    end() {
      state.ended = true;
    },
    pause() {
      state.paused = true;
    },
    resume() {
      state.paused = false;
    },
    unread: () => state.unread,
  });
  const request = (id: number, params: unknown = {}) =>
    encodeSocketFrame({ type: "request", data: { id, method: "m", params } });
  return {
    heard,
    state,
    served,
    request,
    write: (text: string) => served.data(Buffer.from(text)),
    /** What the last frame said went wrong. */
    error: () => {
      const last = heard.at(-1);
      return last?.type === "error" ? last.data.code : null;
    },
    answered: () => heard.filter(({ type }) => type === "response").length,
  };
}

const atOnce: Answer = async (_, { id }) => ({ id, result: {} });
const never: Answer = () => new Promise(() => {});

test("who says no hello is shown out after ten seconds, who does stays", async () => {
  const { timers, pass } = createVirtualTime();
  const silent = clientOf(atOnce, timers);
  const greeted = clientOf(atOnce, timers);
  greeted.write(HELLO);
  await pass(9000);
  expect([silent.state.ended, greeted.state.ended]).toEqual([false, false]);
  await pass(2000);
  expect([silent.state.ended, greeted.state.ended]).toEqual([true, false]);
  expect(silent.error()).toBe("timeout");
  await pass(3_600_000);
  expect(greeted.state.ended).toBe(false);
});

test("a frame has thirty seconds from its first byte, however the others drip", async () => {
  const { timers, pass } = createVirtualTime();
  const client = clientOf(atOnce, timers);
  client.write(HELLO);
  await pass(60_000);
  for (let i = 0; i < 29; i++) {
    client.write(" ");
    await pass(1000);
  }
  expect(client.state.ended).toBe(false);
  // The end of one begins the time of the next.
  client.write(`${client.request(1)} `);
  await pass(29_000);
  expect(client.state.ended).toBe(false);
  await pass(2000);
  expect([client.state.ended, client.error()]).toEqual([true, "timeout"]);
});

test("before the hello frames are short", () => {
  const client = clientOf(atOnce);
  client.write("x".repeat(LIMITS.socketHello + 1));
  expect([client.state.ended, client.error()]).toEqual([true, "too_large"]);
  const other = clientOf(atOnce);
  other.write(HELLO + other.request(1, "x".repeat(LIMITS.socketHello + 1)));
  expect(other.state.ended).toBe(false);
});

test("a second hello, by which a client would be somebody else, ends the connection", () => {
  const client = clientOf(atOnce);
  client.write(HELLO + HELLO);
  expect([client.state.ended, client.error()]).toEqual([true, "bad_frame"]);
});

test("a deep frame ends the connection", () => {
  const client = clientOf(atOnce);
  client.write(`${HELLO}${"[".repeat(100)}${"]".repeat(100)}\f`);
  expect([client.state.ended, client.error()]).toEqual([true, "bad_frame"]);
});

test("of a flood one request is begun in each turn, and nothing is read meanwhile; all are answered in order", async () => {
  const client = clientOf(atOnce);
  client.write(HELLO + Array.from({ length: 100 }, (_, id) => client.request(id)).join(""));
  for (let i = 0; i < 10; i++) await Promise.resolve();
  expect(client.answered()).toBe(1);
  expect(client.state.paused).toBe(true);
  for (let i = 0; i < 100; i++) await settle();
  expect(client.answered()).toBe(100);
  expect(client.state.paused).toBe(false);
  const ids = client.heard.flatMap((frame) => (frame.type === "response" ? [frame.data.id] : []));
  expect(ids).toEqual(Array.from({ length: 100 }, (_, id) => id));
});

test("of a flood of writes as many are begun in a turn as share a commit; a read has its turn to itself", async () => {
  const turns: string[] = [];
  const client = clientOf(async (_, { id, method }) => {
    turns.push(method);
    return { id, result: {} };
  });
  const methods = [...Array(40).fill("message.send"), "message.inbox", "message.send", "message.send"];
  const requests = methods.map((method, id) =>
    encodeSocketFrame({ type: "request", data: { id, method, params: {} } }),
  );
  client.write(HELLO + requests.join(""));
  const begun = [turns.length];
  for (let i = 0; i < 3; i++) {
    await settle();
    begun.push(turns.length);
  }
  expect(begun).toEqual([32, 40, 41, 43]);
  expect(turns).toEqual(methods);
});

test("of requests that wait there are so many at once; those beyond are refused by name, the connection goes on", async () => {
  const client = clientOf(never);
  client.write(HELLO + Array.from({ length: 300 }, (_, id) => client.request(id)).join(""));
  for (let i = 0; i < 300; i++) await settle();
  const refused = client.heard.flatMap((frame) => (frame.type === "response" ? [frame.data] : []));
  expect(refused).toHaveLength(300 - 256);
  expect(refused[0]).toMatchObject({ id: 256, error: { code: "busy" } });
  expect(client.state.ended).toBe(false);
});

test("who doesn't read is asked nothing more until it has", async () => {
  const client = clientOf(atOnce);
  client.write(HELLO);
  client.state.unread = 2 * 1024 * 1024;
  client.write(client.request(1) + client.request(2));
  for (let i = 0; i < 5; i++) await settle();
  expect([client.answered(), client.state.paused]).toEqual([0, true]);
  client.state.unread = 0;
  client.served.drained();
  await settle();
  expect([client.answered(), client.state.paused]).toEqual([2, false]);
});

test("a client has so many streams; one that couldn't be opened takes no place", async () => {
  let fails = true;
  const opens: Answer = async (_, { id }, wire) => {
    const close = wire.openStream();
    if (!fails) return { id, result: {} };
    close();
    return { id, error: { code: "not_found", message: "", hint: "" } };
  };
  const client = clientOf(async (hello, request, wire) => {
    try {
      return await opens(hello, request, wire);
    } catch {
      return { id: request.id, error: { code: "busy", message: "", hint: "" } };
    }
  });
  client.write(HELLO);
  for (let id = 0; id < 40; id++) {
    if (id === 20) fails = false;
    client.write(client.request(id));
    await settle();
  }
  const opened = client.heard.filter((frame) => frame.type === "response" && "result" in frame.data);
  expect(opened).toHaveLength(16);
});

test("what belongs to a connection ends with it", async () => {
  let ended = 0;
  const client = clientOf(async (_, { id }, wire) => {
    wire.ended(() => ended++);
    return { id, result: {} };
  });
  client.write(HELLO + client.request(1) + client.request(2));
  await settle();
  expect(ended).toBe(0);
  client.served.closed();
  expect(ended).toBe(2);
});
