import { expect, onTestFinished, test } from "vitest";
import { EVERYONE } from "#protocol/ids.ts";
import type { Socket } from "#protocol/ports.ts";
import { codeOf } from "#test/code-of.ts";
import { openSqliteStore } from "../adapters/sqlite-store.ts";
import { BROKER_LIMITS } from "../limits.ts";
import { founding, record } from "../store/store.suite.ts";
import { createReading } from "./reading.ts";

/** Pages of four records on a socket that takes in the next only when the test says so. */
async function reading() {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  await store.commit(founding(record(2), record(3), record(4), record(5)));
  const pages: number[] = [];
  const waiting: (() => void)[] = [];
  let drained = 0;
  const socket: Socket = {
    send() {},
    sendAll: (frames) => void pages.push(frames.length - 1),
    close() {},
    buffered: () => 0,
    drained: () => new Promise((resolve) => (drained-- > 0 ? resolve() : waiting.push(resolve))),
    pause() {},
    resume() {},
    listen() {},
  };
  const limits = { ...BROKER_LIMITS, waitingReads: 2 };
  const made = createReading(store, "w", socket, limits);
  return {
    pages,
    stop: made.stop,
    ask: (request: number, before = 9) =>
      made.page({ type: "read", request, label: EVERYONE, before, limit: 200 }),
    drain() {
      const next = waiting.shift();
      drained++;
      next?.();
    },
  };
}

test("the next page is read once the one before has left", async () => {
  const { ask, drain, pages } = await reading();
  const asked = [ask(1), ask(2, 5)];
  drain();
  await asked[0];
  expect(pages).toEqual([4]);
  drain();
  await asked[1];
  expect(pages).toEqual([4, 3]);
});

test("who asks for more than may wait is told so, and may ask again later", async () => {
  const { ask, drain, pages } = await reading();
  const first = ask(1);
  const second = ask(2);
  expect(codeOf(() => ask(3))).toBe("busy");
  drain();
  await first;
  const third = ask(3);
  drain();
  await second;
  drain();
  await third;
  expect(pages).toEqual([4, 4, 4]);
});

test("nothing is read for a connection that has ended", async () => {
  const { ask, drain, stop, pages } = await reading();
  const asked = ask(1);
  stop();
  drain();
  await asked;
  expect(pages).toEqual([]);
});
