import { expect, test } from "vitest";
import type { Presence } from "#protocol/frames.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { createShowing } from "./showing.ts";

const alice = { member: "alice", dev: "laptop" };
const face = (counter: number, changes: Partial<Presence> = {}): Presence => ({
  type: "presence",
  ...alice,
  counter,
  epoch: 0,
  sealed: "AA",
  signature: "",
  ...changes,
});

function shown() {
  const { timers, pass } = createVirtualTime();
  const told: [string, string, number][] = [];
  const faces = createShowing(timers, 5000, (workspace, author, frame) => {
    if (frame.dev !== author.dev) throw new Error("wrong author");
    told.push([workspace, frame.dev, frame.counter]);
  });
  return { faces, told, pass };
}

test("the first face is shown at once; of those that follow too soon the newest, when its time has come", async () => {
  const { faces, told, pass } = shown();
  for (const counter of [1, 2, 3]) faces.show("w", alice, face(counter));
  expect(told).toEqual([["w", "laptop", 1]]);
  await pass(4999);
  expect(told).toHaveLength(1);
  await pass(1);
  expect(told.at(-1)).toEqual(["w", "laptop", 3]);
  faces.show("w", alice, face(4));
  await pass(4000);
  expect(told).toHaveLength(2);
  await pass(1000);
  expect(told.at(-1)).toEqual(["w", "laptop", 4]);
  await pass(5000);
  faces.show("w", alice, face(5));
  expect(told.at(-1)).toEqual(["w", "laptop", 5]);
});

test("devices and workspaces don't wait for each other", () => {
  const { faces, told } = shown();
  const phone = { ...alice, dev: "phone" };
  faces.show("w", alice, face(1));
  faces.show("v", alice, face(1));
  faces.show("w", phone, face(1, { dev: "phone" }));
  expect(told).toHaveLength(3);
});

test("a goodbye is told at once, and takes with it what wasn't shown yet", async () => {
  const { faces, told, pass } = shown();
  faces.show("w", alice, face(1));
  faces.show("w", alice, face(2));
  faces.show("w", alice, face(3, { sealed: "" }));
  await pass(60_000);
  expect(told.map(([, , counter]) => counter)).toEqual([1, 3]);
});

test("saying goodbye in between doesn't make faces come faster", async () => {
  const { faces, told, pass } = shown();
  for (let counter = 1; counter < 20; counter += 2) {
    faces.show("w", alice, face(counter));
    faces.show("w", alice, face(counter + 1, { sealed: "" }));
  }
  expect(told.filter(([, , counter]) => counter % 2 === 1)).toHaveLength(1);
  await pass(60_000);
});

test("what a connection wanted to show goes with it, and no other connection's", async () => {
  const { faces, told, pass } = shown();
  const again = { ...alice };
  faces.show("w", alice, face(1));
  faces.show("w", alice, face(2));
  faces.left("w", alice);
  await pass(5000);
  expect(told).toHaveLength(1);
  faces.show("w", alice, face(3));
  faces.show("w", again, face(4));
  faces.left("w", alice);
  await pass(5000);
  expect(told.at(-1)).toEqual(["w", "laptop", 4]);
});

test("another device's face is refused as if there were no pace", () => {
  const { faces } = shown();
  faces.show("w", alice, face(1));
  expect(() => faces.show("w", alice, face(2, { dev: "phone" }))).toThrow("wrong author");
});
