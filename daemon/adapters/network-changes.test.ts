import { expect, test } from "vitest";
import { createVirtualTime } from "#test/virtual-time.ts";
import { watchNetwork } from "./network-changes.ts";

test("a change of addresses is told once, to all who listen, and nobody listening costs nothing", async () => {
  const { timers, pass } = createVirtualTime();
  let addresses = "eth0 10.0.0.2";
  let looks = 0;
  const network = watchNetwork(timers, () => {
    looks++;
    return addresses;
  });
  await pass(60_000);
  expect(looks).toBe(0);
  const told: string[] = [];
  const stopOne = network.onChange(() => told.push("one"));
  network.onChange(() => told.push("other"));
  await pass(60_000);
  expect(told).toEqual([]);
  addresses = "wlan0 192.168.1.7";
  await pass(60_000);
  expect(told).toEqual(["one", "other"]);
  stopOne();
  addresses = "";
  await pass(60_000);
  expect(told).toEqual(["one", "other", "other"]);
});

test("this machine's own addresses are read, and don't change by being looked at", async () => {
  const { timers, pass } = createVirtualTime();
  let changes = 0;
  const stop = watchNetwork(timers).onChange(() => changes++);
  await pass(30_000);
  stop();
  expect(changes).toBe(0);
});
