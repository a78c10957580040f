import { expect, test } from "vitest";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { createPrometheus } from "../adapters/prometheus.ts";
import { openSqliteStores } from "../adapters/sqlite-stores.ts";
import { createBroker } from "../broker.ts";
import { createBus } from "../bus.ts";
import { type BrokerConfig, DEFAULT_RETENTION, DEFAULT_TIMES } from "../ports.ts";

const TOKEN = "a token of some length";

/** The status of GET /metrics, as asked from this machine or from elsewhere. */
async function status(
  readers: BrokerConfig["metrics"],
  { isLocal, authorization }: { isLocal: boolean; authorization?: string },
) {
  const stores = openSqliteStores(":memory:");
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, curves: nodeCurves };
  const ports = { ...world, ...stores, bus: createBus(), log, fatal() {}, metrics: createPrometheus() };
  const broker = createBroker(ports, {
    ...DEFAULT_TIMES,
    origins: new Set<string>(),
    retention: DEFAULT_RETENTION,
    ...(readers && { metrics: readers }),
  });
  const headers = authorization ? { authorization } : {};
  const response = await broker.http.fetch(new Request("http://broker/metrics", { headers }), { isLocal });
  await broker.stop();
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
