/** A broker of this process on a real port and a real file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import type { AccountStore } from "#broker/accounts/store.ts";
import { listen } from "#broker/adapters/server.ts";
import { openSqliteStores } from "#broker/adapters/sqlite-stores.ts";
import { createBroker } from "#broker/broker.ts";
import { createBus } from "#broker/bus.ts";
import type { BrokerLimits } from "#broker/limits.ts";
import { type BrokerConfig, DEFAULT_RETENTION, DEFAULT_TIMES } from "#broker/ports.ts";
import type { Store } from "#broker/store/store.ts";

/** Fixtures are from another year. */
const FOREVER = { ...DEFAULT_RETENTION, keepMs: Number.MAX_SAFE_INTEGER };

export type ListeningBroker = { url: string; port: number; store: Store; accounts: AccountStore };

/** It ends with the test. */
export async function listeningBroker(
  limits: Partial<BrokerLimits> = {},
  times: Partial<BrokerConfig> = {},
): Promise<ListeningBroker> {
  const folder = mkdtempSync(join(tmpdir(), "broker-"));
  const stores = openSqliteStores(join(folder, "broker.db"));
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const fatal = (error: unknown) => {
    throw error;
  };
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, curves: nodeCurves };
  const ports = { ...world, ...stores, bus: createBus(), log: silent, fatal };
  const make = (port: number) => {
    const origins = new Set([`http://127.0.0.1:${port}`]);
    return createBroker(ports, { ...DEFAULT_TIMES, origins, limits, retention: FOREVER, ...times });
  };
  const listening = await listen("127.0.0.1", 0, make, { limits });
  onTestFinished(async () => {
    await listening.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { url: `http://127.0.0.1:${listening.port}`, port: listening.port, ...stores };
}
