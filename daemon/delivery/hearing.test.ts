// What a session makes of what it was posted: taken, seen, or nothing at all.
import { expect, test } from "vitest";
import { createVirtualTime } from "#test/virtual-time.ts";
import { createHearing } from "./hearing.ts";

function hearing() {
  const { timers, pass } = createVirtualTime();
  const said: boolean[] = [];
  return { ...createHearing(timers, (deaf) => said.push(deaf)), said, pass };
}

test("what isn't taken in half a minute makes a session deaf; what is taken later makes it hear again", async () => {
  const { posted, taken, said, pass } = hearing();
  posted(["a"]);
  await pass(29_000);
  expect(said).toEqual([]);
  await pass(2000);
  expect(said).toEqual([true]);
  taken(["a"]);
  expect(said).toEqual([true, false]);
});

test("what was taken, seen or never left makes nobody deaf", async () => {
  const { posted, taken, seen, forget, said, pass } = hearing();
  posted(["a", "b", "c"]);
  taken(["a"]);
  seen(["b"]);
  forget(["c"]);
  await pass(120_000);
  expect(said).toEqual([false]);
});

test("a client has enough for its next turn at twenty, until it has seen some or is at rest", () => {
  const { posted, seen, rested, isFull } = hearing();
  const ids = Array.from({ length: 20 }, (_, i) => String(i));
  posted(ids.slice(1));
  expect(isFull()).toBe(false);
  posted(ids.slice(0, 1));
  expect(isFull()).toBe(true);
  seen(["3"]);
  expect(isFull()).toBe(false);
  posted(["3"]);
  rested();
  expect(isFull()).toBe(false);
});

test("a check is heard, or runs out of time", async () => {
  const { awaits, seen, pass } = hearing();
  const first = awaits("x", 5000);
  seen(["x"]);
  expect(await first).toBe(true);
  const second = awaits("y", 5000);
  await pass(6000);
  expect(await second).toBe(false);
});
