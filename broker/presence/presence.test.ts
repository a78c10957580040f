// The broker's book of who is there, under a clock of its own.
import { expect, test } from "vitest";
import type { Faces, Presence } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { createBus } from "../bus.ts";
import { DEFAULT_RETENTION, DEFAULT_TIMES } from "../ports.ts";
import { createPresenceBook } from "./presence.ts";

function open() {
  const time = createVirtualTime();
  const bus = createBus();
  const told: Faces[] = [];
  bus.subscribe("w", (news) => {
    if (news.type === "faces") told.push(news.frame);
  });
  const config = { ...DEFAULT_TIMES, origins: new Set<string>(), retention: DEFAULT_RETENTION };
  const book = createPresenceBook({ ...time, bus }, config);
  return { time, book, told, config };
}

function face(dev: string, counter = 1, sealed = "AAAA"): Presence {
  return { type: "presence", member: dev, dev, counter, epoch: 0, sealed, signature: "AAAA" };
}

const author = (dev: string) => ({ member: dev, dev });
const devs = (frames: readonly Faces[]) => frames.flatMap(({ faces }) => faces.map(({ dev }) => dev));

test("tells the first change at once, and those that follow together, at the next tick", () => {
  const { time, book, told, config } = open();
  for (const dev of ["a", "b", "c"]) book.connected("w", dev);
  book.update("w", author("a"), face("a"));
  time.advance(0);
  expect(devs(told)).toEqual(["a"]);
  book.update("w", author("b"), face("b"));
  book.update("w", author("c"), face("c"));
  time.advance(config.presenceTickMs - 1);
  expect(told.length).toBe(1);
  time.advance(1);
  expect(told.length).toBe(2);
  expect(devs(told)).toEqual(["a", "b", "c"]);
});

test("an older face that comes late changes nothing, and another's is refused", () => {
  const { time, book, told } = open();
  book.connected("w", "a");
  book.update("w", author("a"), face("a", 5));
  time.advance(1000);
  book.update("w", author("a"), face("a", 4));
  time.advance(1000);
  expect(told.length).toBe(1);
  expect(() => book.update("w", author("b"), face("a", 6))).toThrow("another device");
});

test("a short drop is no leave; a lease that ran out is, and so is a goodbye", () => {
  const { time, book, told, config } = open();
  for (const dev of ["a", "b"]) {
    book.connected("w", dev);
    book.update("w", author(dev), face(dev));
  }
  time.advance(1000);
  book.disconnected("w", "a");
  time.advance(config.leaseMs - 1);
  book.connected("w", "a");
  time.advance(config.leaseMs * 2);
  expect(told.flatMap(({ absent }) => absent)).toEqual([]);
  const leftAt = time.clock.now();
  book.disconnected("w", "a");
  time.advance(config.leaseMs + config.presenceTickMs);
  expect(told.at(-1)?.absent).toEqual([{ dev: "a", lastSeen: leftAt + config.leaseMs }]);
  book.update("w", author("b"), face("b", 2, ""));
  time.advance(config.presenceTickMs);
  expect(told.at(-1)?.absent.map(({ dev }) => dev)).toEqual(["b"]);
});

test("two connections of a device are one lease", () => {
  const { time, book, told, config } = open();
  book.connected("w", "a");
  book.connected("w", "a");
  book.update("w", author("a"), face("a"));
  book.disconnected("w", "a");
  time.advance(config.leaseMs * 2);
  expect(told.flatMap(({ absent }) => absent)).toEqual([]);
});

test("in a large workspace nobody is told more than that there is something to pull", () => {
  const { time, book, told } = open();
  const many = Array.from({ length: LIMITS.presencePush + 1 }, (_, i) => `d${i}`);
  for (const dev of many) book.connected("w", dev);
  for (const dev of many) book.update("w", author(dev), face(dev));
  time.advance(60_000);
  expect(devs(told)).toEqual([]);
  expect(told.every(({ more }) => more)).toBe(true);
  expect(book.connected("w", "late").every(({ faces, more }) => faces.length === 0 && more)).toBe(true);

  const pages: Faces[] = [];
  for (let after = 0, more = true; more; ) {
    const page = book.pull("w", after);
    pages.push(page);
    ({ version: after, more } = page);
  }
  expect(new Set(devs(pages))).toEqual(new Set(many));
  expect(pages.every(({ faces }) => faces.length <= LIMITS.faces)).toBe(true);
  const { version } = pages.at(-1) ?? { version: 0 };
  book.update("w", author("d3"), face("d3", 2));
  expect(devs([book.pull("w", version)])).toEqual(["d3"]);
});
