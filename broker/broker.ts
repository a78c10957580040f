/** A broker from its parts. Everything of the world comes in through `ports`, so a whole mesh can run in one process. */
import type { Hono } from "hono";
import { createGateway, type Gateway } from "./gateway/gateway.ts";
import { createHttp } from "./http/http.ts";
import type { BrokerConfig, BrokerPorts } from "./ports.ts";

export type Broker = { gateway: Gateway; http: Hono; stop(): Promise<void> };

export function createBroker(ports: BrokerPorts, config: BrokerConfig): Broker {
  const gateway = createGateway(ports, config);
  const http = createHttp(ports, gateway.connections);
  return {
    gateway,
    http,
    async stop() {
      gateway.stop();
      await ports.store.close();
    },
  };
}
