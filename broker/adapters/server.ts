/** One TCP port for WebSockets and HTTP. Deflate is off: it costs 20 times the memory and sealed bytes don't shrink. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { WebSocketServer } from "ws";
import { socketOf } from "#adapters/websocket.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Broker } from "../broker.ts";
import { createStrangers } from "../gateway/strangers.ts";
import { BROKER_LIMITS } from "../limits.ts";
import { addressOf, isProxy } from "./address.ts";
import { createLiveness } from "./liveness.ts";

export type Listening = { port: number; close(): Promise<void> };

/** A request's head has to be here in so many ms, and all of it: what we are asked for has no body. */
const HEAD_LIMIT_MS = 10_000;
const LOOK_MS = 2000;
/** After a goodbye the other end has so long to say its own. */
const CLOSE_LIMIT_MS = 2000;
const MOST_HEADER_BYTES = 8192;

/**
 * Port 0 takes any free one, so the broker is made once the port is known. `proxies`: addresses besides this machine
 * whose X-Forwarded-For is believed.
 * @throws the system's error (EADDRINUSE, EACCES) when the address can't be had
 */
export async function listen(
  host: string,
  port: number,
  makeBroker: (port: number) => Broker,
  proxies: ReadonlySet<string> = new Set(),
): Promise<Listening> {
  const server = createServer({
    headersTimeout: HEAD_LIMIT_MS,
    requestTimeout: HEAD_LIMIT_MS,
    connectionsCheckingInterval: LOOK_MS,
    maxHeaderSize: MOST_HEADER_BYTES,
  });
  const strangers = countStrangers(server, proxies);
  const address = await bind(server, host, port);
  const broker = makeBroker(address.port);
  server.on("request", getRequestListener(broker.http.fetch));

  const liveness = createLiveness(BROKER_LIMITS.stallMs);
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
      await broker.stop();
      liveness.stop();
      for (const client of wss.clients) client.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Connections that haven't become WebSockets, by address: somebody could open many and say nothing. */
function countStrangers(server: Server, proxies: ReadonlySet<string>) {
  const strangers = createStrangers(BROKER_LIMITS.strangersPerAddress);
  const known = new WeakMap<Socket, () => void>();
  server.maxConnections = BROKER_LIMITS.connections;
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
    server.listen(port, host, () => {
      server.off("error", reject);
      const address = server.address();
      if (address && typeof address === "object") resolve(address);
    });
  });
}
