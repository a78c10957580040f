/** A broker from its parts. Everything of the world comes in through `ports`, so a whole mesh can run in one process. */
import type { Hono } from "hono";
import { createGateway, type Gateway } from "./gateway/gateway.ts";
import { createHttp } from "./http/http.ts";
import { createLog } from "./log/log.ts";
import type { BrokerConfig, BrokerPorts } from "./ports.ts";
import { createRetention, type RetentionJob } from "./retention.ts";

export type Broker = { gateway: Gateway; http: Hono; retention: RetentionJob; stop(): Promise<void> };

export function createBroker(ports: BrokerPorts, config: BrokerConfig): Broker {
  const log = createLog(ports);
  const gateway = createGateway(ports, config, log);
  const retention = createRetention(ports, config, log);
  const http = createHttp(ports, gateway.connections);
  return {
    gateway,
    http,
    retention,
    async stop() {
      retention.stop();
      gateway.stop();
      await ports.store.close();
    },
  };
}
