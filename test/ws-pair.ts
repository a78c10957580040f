/** Both ends of one real WebSocket in this process: the client's, and the broker's as the socket port. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { socketOf } from "#adapters/websocket.ts";
import type { Socket } from "#protocol/ports.ts";

export type WsPair = { client: WebSocket; socket: Socket };

export async function wsPair(): Promise<WsPair> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(server, "listening");
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    client.terminate();
    server.close();
  });
  const [[ws, request]] = await Promise.all([once(server, "connection"), once(client, "open")]);
  return { client, socket: socketOf(ws, request.socket) };
}
