/** What a broker is given. `createBroker` touches nothing else of the world. */
import type { Clock, Curves, Log, Random, Timers } from "#protocol/ports.ts";
import type { AccountStore } from "./accounts/store.ts";
import type { Bus } from "./bus.ts";
import type { BrokerLimits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import type { Store } from "./store/store.ts";

export type BrokerPorts = {
  clock: Clock;
  timers: Timers;
  random: Random;
  curves: Curves;
  store: Store;
  accounts: AccountStore;
  bus: Bus;
  log: Log;
  /** Without, the broker sends no e-mail. */
  mail?: Mail;
  /** Without, nothing is counted. */
  metrics?: Metrics;
  /** Storage failed in a way that leaves memory and disk apart: the process has to end. */
  fatal(error: unknown): void;
};

/** Sends plain text. @throws MeshError refused, offline: without the address in them */
export type Mail = { send(message: { to: string; subject: string; text: string }): Promise<void> };

export type CountingPorts = BrokerPorts & { metrics: Metrics };

export type BrokerConfig = {
  /** Addresses by which devices may know this broker, as `brokerOrigin` writes them. A hello for another is refused. */
  origins: ReadonlySet<string>;
  heartbeatMs: number;
  /** How long a connection may take until its hello. */
  helloMs: number;
  /** How long a device counts as present after its connection ended. */
  leaseMs: number;
  /** Changes of presence within this time are told together. */
  presenceTickMs: number;
  retention: RetentionPolicy;
  /** Who may read /metrics: this machine, where that says something, or whoever has the token. Without: nobody. */
  metrics?: { local: boolean; token: string | null };
  /** Whoever founds or joins a workspace here has to have an account here. Members go on. */
  registeredOnly?: boolean;
  /** Where they differ from BROKER_LIMITS. */
  limits?: Partial<BrokerLimits>;
};

export type RetentionPolicy = {
  /** Age at which appends go. */
  keepMs: number;
  /** Bytes of a workspace's records from which on the oldest appends go. */
  quotaBytes: number;
  /** How often it is looked after. */
  everyMs: number;
};

const DAY_MS = 86_400_000;

export const DEFAULT_TIMES = { heartbeatMs: 15_000, helloMs: 10_000, leaseMs: 90_000, presenceTickMs: 200 };
export const DEFAULT_RETENTION: RetentionPolicy = {
  keepMs: 90 * DAY_MS,
  quotaBytes: 4 * 1024 ** 3,
  everyMs: 3_600_000,
};
