import { expect, onTestFinished, test } from "vitest";
import { systemTimers } from "#adapters/clock.ts";
import { type Handlers, methods } from "#protocol/registry.ts";
import { type ApprovalMode, encodeSocketFrame, type SocketFrame } from "#protocol/socket.ts";
import type { Caller } from "#sdk/peer.ts";
import { createServe } from "./connection.ts";
import { createDispatch } from "./dispatch.ts";

/** A client on a dispatcher whose every method answers with its own name. */
function client(
  kind: "cli" | "adapter" | null = "cli",
  mode?: ApprovalMode,
  { version = "0.2.0", isStopping = (): boolean => false } = {},
) {
  const answering = Object.fromEntries(
    Object.entries(methods).map(([noun, verbs]) => [
      noun,
      Object.fromEntries(Object.keys(verbs).map((verb) => [verb, () => ({ answered: `${noun}.${verb}` })])),
    ]),
  );
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const answer = createDispatch({
    handlers: answering as unknown as Handlers<Caller>,
    version: "0.2.0",
    log,
    session: () => null,
    consent: { ask: async ({ params }) => params, refused() {} },
    async changed() {},
    isStopping,
  });
  const serve = createServe({ answer, version: "0.2.0", pid: 7, log, timers: systemTimers });
  const heard: { type: string; data: unknown }[] = [];
  let ended = false;
  const served = serve({
    send: (text) => heard.push(JSON.parse(text.slice(0, -1))),
    end: () => (ended = true),
    pause() {},
    resume() {},
    unread: () => 0,
  });
  onTestFinished(served.closed);
  const write = (frame: SocketFrame | string) =>
    served.data(Buffer.from(typeof frame === "string" ? frame : encodeSocketFrame(frame)));
  if (kind) write({ type: "hello", data: { client: kind, version, mode } });
  return {
    heard,
    write,
    isEnded: () => ended,
    async ask(method: string, params: unknown = {}) {
      heard.length = 0;
      write({ type: "request", data: { id: 1, method, params } });
      await expect.poll(() => heard.length).toBe(1);
      return heard[0]?.data;
    },
  };
}

test("a hello is welcomed, and then requests are answered", async () => {
  const cli = client();
  expect(cli.heard).toEqual([{ type: "welcome", data: { version: "0.2.0", pid: 7 } }]);
  expect(await cli.ask("daemon.status")).toEqual({ id: 1, result: { answered: "daemon.status" } });
});

test("parameters that the schema doesn't know are refused with what is wrong", async () => {
  const answer = await client().ask("workspace.create", { name: 7 });
  expect(answer).toMatchObject({ id: 1, error: { code: "usage", message: expect.stringContaining("name") } });
  expect(await client().ask("message.inbox", { bogus: true })).toMatchObject({ error: { code: "usage" } });
});

test("an approval mode only tightens: plan and read-only read, write writes", async () => {
  const inTurn = async (mode: ApprovalMode) => {
    const one = client("cli", mode);
    const read = await one.ask("message.inbox");
    const write = await one.ask("workspace.use", { workspace: "w" });
    return [read, write, await one.ask("daemon.stop")];
  };
  const refused = { error: { code: "refused" } };
  const done = { result: {} };
  expect(await inTurn("plan")).toMatchObject([done, refused, refused]);
  expect(await inTurn("write")).toMatchObject([done, done, refused]);
  expect(await inTurn("yolo")).toMatchObject([done, done, done]);
});

test("an unknown method is answered with the nearest one; names of the language's own are unknown too", async () => {
  expect(await client().ask("mesage.send")).toMatchObject({
    error: { code: "unknown_method", hint: expect.stringMatching(/^Did you mean message\.send\b/) },
  });
  expect(await client().ask("constructor.name")).toMatchObject({ error: { code: "unknown_method" } });
});

test("a client of another release works, and what one side doesn't know is told as a skew of versions", async () => {
  for (const [version, hint] of [
    ["0.1.9", "Update what asked"],
    ["0.3.0", "Replace the daemon"],
  ] as const) {
    const other = client("cli", undefined, { version });
    expect(await other.ask("message.inbox")).toMatchObject({ result: {} });
    expect(await other.ask("fresh.thing")).toMatchObject({
      error: { code: "version_skew", hint: expect.stringContaining(hint) },
    });
    expect(await other.ask("message.inbox", { fresh: true })).toMatchObject({
      error: { code: "usage", hint: expect.stringContaining(hint) },
    });
  }
});

test("once the daemon is stopping, nothing is begun", async () => {
  let stopping = false;
  const cli = client("cli", undefined, { isStopping: () => stopping });
  expect(await cli.ask("message.inbox")).toMatchObject({ result: {} });
  stopping = true;
  expect(await cli.ask("message.inbox")).toMatchObject({ error: { code: "daemon_unreachable" } });
});

test.each([
  "no json\f",
  '{"type":"request","data":{"id":1,"method":"daemon.status"}}\f',
  '{"type":"hello","data":{}}\f',
  '{"data":1}\f',
])("what isn't the protocol ends the connection: %s", (frame) => {
  const stranger = client(null);
  stranger.write(frame);
  expect(stranger.heard).toMatchObject([{ type: "error", data: { code: "bad_frame" } }]);
  expect(stranger.isEnded()).toBe(true);
});

test("a frame over the limit ends the connection before it is whole", () => {
  const cli = client();
  for (let i = 0; i < 33; i++) cli.write("x".repeat(64 * 1024));
  expect(cli.heard.at(-1)).toMatchObject({ type: "error", data: { code: "too_large" } });
  expect(cli.isEnded()).toBe(true);
});
