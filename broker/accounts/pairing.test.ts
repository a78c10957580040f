import { expect, test } from "vitest";
import { accountWorld } from "#test/account-world.ts";

const MINUTE = 60_000;
const place = "A".repeat(22);
const placeNumber = (number: number) => `${String(number).padStart(21, "A")}A`;
const asks = { place, slot: "asks" } as const;
const answers = { place, slot: "answers" } as const;

test("two devices leave each other a box, whoever comes first", async () => {
  const world = await accountWorld();
  const early = world.call("take", { ...asks, waitMs: 30_000 });
  await world.begun(30_000);
  await world.call("leave", { ...asks, box: "YXNrcw" });
  expect(await early).toEqual({ box: "YXNrcw" });
  await world.call("leave", { ...answers, box: "YW5zd2Vycw" });
  expect(await world.call("take", { ...answers, waitMs: 0 })).toEqual({ box: "YW5zd2Vycw" });
});

test("a slot is written once and taken once", async () => {
  const world = await accountWorld();
  await world.call("leave", { ...asks, box: "YQ" });
  expect(await world.codeOf("leave", { ...asks, box: "Yg" })).toBe("conflict");
  const taken = await Promise.all([1, 2].map(() => world.codeOf("take", { ...asks, waitMs: 1000 })));
  expect(taken.toSorted()).toEqual(["accepted", "pairing_over"]);
  expect((await world.ask("take", { ...asks, waitMs: 0 })).status).toBe(410);
  expect(await world.codeOf("leave", { ...asks, box: "Yg" })).toBe("conflict");
});

test("of two who wait for one box one gets it, and the other learns that somebody was faster", async () => {
  const world = await accountWorld();
  const both = [1, 2].map(() => world.codeOf("take", { ...asks, waitMs: 30_000 }));
  await world.begun(30_000, 2);
  await world.call("leave", { ...asks, box: "YQ" });
  expect((await Promise.all(both)).toSorted()).toEqual(["accepted", "pairing_over"]);
});

test("a wait in vain ends with nothing, and the place two minutes after its first use", async () => {
  const world = await accountWorld();
  const vain = world.call("take", { ...asks, waitMs: 30_000 });
  await world.begun(30_000);
  await world.time.pass(30_000);
  expect(await vain).toEqual({ box: null });
  await world.call("leave", { ...asks, box: "YQ" });
  await world.time.pass(MINUTE + 20_000);
  const last = world.codeOf("take", { ...answers, waitMs: 30_000 });
  await world.begun(30_000);
  await world.time.pass(10_000);
  expect(await last).toBe("pairing_over");
  expect(await world.call("take", { ...asks, waitMs: 0 })).toEqual({ box: null });
});

test("an address opens 20 places, all of them 1,000; they are free again when their time is over", async () => {
  const world = await accountWorld();
  const leave = (number: number, address: string) =>
    world.codeOf("leave", { place: placeNumber(number), slot: "asks", box: "YQ" }, { address });
  for (let i = 0; i < 1000; i++) {
    expect(await leave(i, `192.0.2.${Math.floor(i / 20)}`)).toBe("accepted");
    if (i === 19) expect(await leave(999, "192.0.2.0")).toBe("slow_down");
  }
  expect(await leave(1000, "198.51.100.1")).toBe("slow_down");
  await world.time.pass(2 * MINUTE);
  expect(await leave(1000, "192.0.2.0")).toBe("accepted");
});

test("a box that is too large isn't taken", async () => {
  const world = await accountWorld();
  const { status, body } = await world.ask("leave", { ...asks, box: "A".repeat(64 * 1024 + 4) });
  expect([status, body.error?.code]).toEqual([413, "too_large"]);
  expect(await world.codeOf("leave", { ...asks, box: "A".repeat(64 * 1024) })).toBe("accepted");
});

test("a broker that stops has forgotten what was left, and says so to who waits", async () => {
  const world = await accountWorld();
  const waits = world.codeOf("take", { ...asks, waitMs: 30_000 });
  await world.begun(30_000);
  await world.stop();
  expect(await waits).toBe("pairing_over");
});
