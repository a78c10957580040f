/** One TCP port for WebSockets and HTTP. Deflate is off: it costs 20 times the memory and sealed bytes don't shrink. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { WebSocketServer } from "ws";
import { socketOf } from "#adapters/websocket.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Broker } from "../broker.ts";
import { createStrangers } from "../gateway/strangers.ts";
import { BROKER_LIMITS, type BrokerLimits } from "../limits.ts";
import { addressOf, isLoopback, isProxy } from "./address.ts";
import { createLiveness } from "./liveness.ts";

export type Listening = { port: number; close(): Promise<void> };

/** After a goodbye the other end has so long to say its own. */
const CLOSE_LIMIT_MS = 2000;
const MOST_HEADER_BYTES = 8192;
/** Connections that the kernel keeps until they are accepted, if its own limit (net.core.somaxconn) is as high. */
const MOST_WAITING = 4096;

export type ListenOptions = {
  /** Addresses besides this machine's whose X-Forwarded-For is believed. */
  proxies?: ReadonlySet<string>;
  /** Where they differ from BROKER_LIMITS. */
  limits?: Partial<BrokerLimits>;
};

/**
 * Port 0 takes any free one, so the broker is made once the port is known.
 * @throws the system's error (EADDRINUSE, EACCES) when the address can't be had
 */
export async function listen(
  host: string,
  port: number,
  makeBroker: (port: number) => Broker,
  { proxies = new Set(), limits: changes }: ListenOptions = {},
): Promise<Listening> {
  const limits = { ...BROKER_LIMITS, ...changes };
  const server = createServer({
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.requestMs / 5,
    maxHeaderSize: MOST_HEADER_BYTES,
  });
  server.maxConnections = limits.connections;
  const strangers = countStrangers(server, proxies, limits.strangersPerAddress);
  const address = await bind(server, host, port);
  const broker = makeBroker(address.port);
  server.on(
    "request",
    getRequestListener((request, { incoming }) => {
      const isLocal = isLoopback(incoming.socket.remoteAddress ?? "");
      return broker.http.fetch(request, { isLocal, address: addressOf(incoming, proxies) });
    }),
  );

  const liveness = createLiveness(limits.stallMs);
  // Apart from the call, as the types don't know closeTimeout.
  const options = {
    noServer: true,
    perMessageDeflate: false,
    maxPayload: LIMITS.frame,
    closeTimeout: CLOSE_LIMIT_MS,
  };
  const wss = new WebSocketServer(options);
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head) => {
    strangers.upgraded(socket);
    // A browser page has no business here: it would be somebody's page using its visitor's network.
    if (request.headers.origin !== undefined) {
      socket.destroy();
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => {
      liveness.watch(ws);
      broker.gateway.accept(socketOf(ws, socket), addressOf(request, proxies));
    });
  });

  return {
    port: address.port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await broker.stop();
      liveness.stop();
      for (const client of wss.clients) client.terminate();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Connections that haven't become WebSockets, by address: somebody could open many and say nothing. */
function countStrangers(server: Server, proxies: ReadonlySet<string>, most: number) {
  const strangers = createStrangers(most);
  const known = new WeakMap<Socket, () => void>();
  server.on("connection", (socket) => {
    const address = socket.remoteAddress ?? "";
    // Behind a proxy stand many, and it has limits of its own.
    if (isProxy(address, proxies)) return;
    const leave = strangers.meet(address);
    if (leave) {
      known.set(socket, leave);
      socket.once("close", leave);
    } else socket.destroy();
  });
  return { upgraded: (socket: Socket) => known.get(socket)?.() };
}

function bind(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Everybody may come back at once, before anybody was accepted.
    server.listen({ port, host, backlog: MOST_WAITING }, () => {
      server.off("error", reject);
      const address = server.address();
      if (address && typeof address === "object") resolve(address);
    });
  });
}
