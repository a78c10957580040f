/** One TCP port for WebSockets and HTTP. Deflate is off: it costs 20 times the memory and sealed bytes don't shrink. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { WebSocketServer } from "ws";
import { socketOf } from "#adapters/websocket.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Broker } from "../broker.ts";

export type Listening = { port: number; close(): Promise<void> };

/**
 * Port 0 takes any free one, so the broker is made once the port is known.
 * @throws the system's error (EADDRINUSE, EACCES) when the address can't be had
 */
export async function listen(
  host: string,
  port: number,
  makeBroker: (port: number) => Broker,
): Promise<Listening> {
  const server = createServer();
  const address = await bind(server, host, port);
  const broker = makeBroker(address.port);
  server.on("request", getRequestListener(broker.http.fetch));

  const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: LIMITS.frame });
  server.on("upgrade", (request: IncomingMessage, socket, head) => {
    // A browser page has no business here: it would be somebody's page using its visitor's network.
    if (request.headers.origin !== undefined) socket.destroy();
    else wss.handleUpgrade(request, socket, head, (ws) => broker.gateway.accept(socketOf(ws, socket)));
  });

  return {
    port: address.port,
    async close() {
      await broker.stop();
      for (const client of wss.clients) client.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
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
