/** A broker from its parts. Everything of the world comes in through `ports`, so a whole mesh can run in one process. */
import type { Clock } from "#protocol/ports.ts";
import { createAccounts } from "./accounts/accounts.ts";
import { createGateway, type Gateway } from "./gateway/gateway.ts";
import { watchWork } from "./gateway/work.ts";
import { type BrokerHttp, createHttp } from "./http/http.ts";
import { createInvites } from "./invites/invites.ts";
import { createLog } from "./log/log.ts";
import { type Metrics, noMetrics } from "./metrics.ts";
import type { BrokerConfig, BrokerPorts } from "./ports.ts";
import { createRetention, type RetentionJob } from "./retention.ts";
import type { Store } from "./store/store.ts";

export type Broker = { gateway: Gateway; http: BrokerHttp; retention: RetentionJob; stop(): Promise<void> };

/** Longer nobody waits for devices that don't go. */
const STOP_LIMIT_MS = 10_000;

export function createBroker(ports: BrokerPorts, config: BrokerConfig): Broker {
  const metrics = ports.metrics ?? noMetrics;
  const counting = { ...ports, metrics, store: counted(ports.store, ports.clock, metrics) };
  const log = watchWork(createLog(counting));
  const invites = createInvites(counting, config, log);
  const gateway = createGateway(counting, config, log, invites);
  const accounts = createAccounts(counting);
  const retention = createRetention(counting, config, log, accounts);
  const http = createHttp(counting, config, gateway.connections, { log, accounts, invites });
  return {
    gateway,
    http,
    retention,
    async stop() {
      retention.stop();
      await accounts.stop();
      await gateway.stop(STOP_LIMIT_MS);
      await ports.store.close();
    },
  };
}

function counted(store: Store, clock: Clock, metrics: Metrics): Store {
  return {
    ...store,
    async commit(commit) {
      const start = clock.now();
      await store.commit(commit);
      metrics.committed(commit.records.length, (clock.now() - start) / 1000);
      metrics.count("committed_records", commit.records.length);
    },
  };
}
