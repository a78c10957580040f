import { expect, test } from "vitest";
import type { Served } from "./connection.ts";
import { createDoors } from "./door.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** Guests of one door; what each has cost is what the test says. */
function house(connections: number, maxHeldBytes?: number) {
  const costs = new Map<string, { greeted: boolean; held: number }>();
  const ended: string[] = [];
  const heard = new Map<string, string>();
  const doors = createDoors(log, maxHeldBytes);
  let name = "";
  const door = doors.door(() => {
    const own = { greeted: false, held: 0 };
    costs.set(name, own);
    return {
      data() {},
      drained() {},
      closed() {},
      expelled() {},
      isGreeted: () => own.greeted,
      held: () => own.held,
    };
  }, connections);
  return {
    ended,
    heard,
    cost: (who: string) => costs.get(who) ?? { greeted: false, held: 0 },
    enter(who: string): Served {
      name = who;
      return door({
        send: (text) => void heard.set(who, text),
        end: () => void ended.push(who),
        pause() {},
        resume() {},
        unread: () => 0,
      });
    },
  };
}

test("when it is full, who said nothing so far makes room, the oldest first", () => {
  const { enter, cost, ended, heard } = house(3);
  for (const who of ["a", "b", "c"]) enter(who);
  cost("a").greeted = true;
  enter("d");
  expect(ended).toEqual(["b"]);
  expect(heard.get("b")).toContain('"busy"');
  enter("e");
  expect(ended).toEqual(["b", "c"]);
});

test("when all of them are in a conversation, the newcomer is told so and comes in once one has left", () => {
  const { enter, cost, ended, heard } = house(2);
  const first = enter("a");
  enter("b");
  for (const who of ["a", "b"]) cost(who).greeted = true;
  enter("c").data(Buffer.from("ignored"));
  expect(ended).toEqual(["c"]);
  expect(heard.get("c")).toContain("2 connections");
  first.closed();
  enter("d");
  expect(ended).toEqual(["c"]);
});

test("when too much is kept for all together, who takes most has to go, and only that one", () => {
  const { enter, cost, ended } = house(10, 3_000_000);
  const [a, b, c] = ["a", "b", "c"].map(enter);
  cost("a").held = 500_000;
  a?.data(Buffer.from("x"));
  cost("b").held = 2_000_000;
  b?.data(Buffer.from("x"));
  expect(ended).toEqual([]);
  cost("c").held = 900_000;
  c?.data(Buffer.from("x"));
  expect(ended).toEqual(["b"]);
  b?.closed();
  c?.data(Buffer.from("x"));
  expect(ended).toEqual(["b"]);
});
