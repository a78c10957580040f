import { expect, test } from "vitest";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { createPrometheus } from "../adapters/prometheus.ts";
import { openSqliteStore } from "../adapters/sqlite-store.ts";
import { createBus } from "../bus.ts";
import { createInvites } from "../invites/invites.ts";
import { createLog } from "../log/log.ts";
import type { BrokerConfig } from "../ports.ts";
import { createHttp } from "./http.ts";

const TOKEN = "a token of some length";

/** The status of GET /metrics, as asked from this machine or from elsewhere. */
async function status(
  readers: BrokerConfig["metrics"],
  { isLocal, authorization }: { isLocal: boolean; authorization?: string },
) {
  const store = openSqliteStore(":memory:");
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, curves: nodeCurves };
  const ports = { ...world, store, bus: createBus(), log: silent, fatal() {}, metrics: createPrometheus() };
  const log = createLog(ports);
  const http = createHttp(
    ports,
    readers ? { metrics: readers } : {},
    () => 0,
    log,
    createInvites(ports, {}, log),
  );
  const headers = authorization ? { authorization } : {};
  const response = await http.fetch(new Request("http://broker/metrics", { headers }), { isLocal });
  await store.close();
  return response.status;
}

test("metrics are for this machine", async () => {
  const readers = { local: true, token: null };
  expect(await status(readers, { isLocal: true })).toBe(200);
  expect(await status(readers, { isLocal: false })).toBe(404);
  expect(await status(undefined, { isLocal: true })).toBe(404);
});

test("where everybody looks like this machine, they are for nobody without a token", async () => {
  expect(await status({ local: false, token: null }, { isLocal: true })).toBe(404);
});

test("a token opens them from anywhere, and nothing like it does", async () => {
  const ask = (authorization: string) =>
    status({ local: false, token: TOKEN }, { isLocal: false, authorization });
  expect(await ask(`Bearer ${TOKEN}`)).toBe(200);
  for (const wrong of ["", "Bearer ", `Bearer ${TOKEN}x`, `Bearer ${TOKEN.toUpperCase()}`, TOKEN]) {
    expect(await ask(wrong)).toBe(404);
  }
});
