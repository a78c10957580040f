/** A client of a daemon in the same process: the same frames as on its socket, without the socket. */

import type { Serve } from "#daemon/connection.ts";
import { utf8 } from "#protocol/bytes.ts";
import { fromErrorShape } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import { createSocketDecoder, encodeSocketFrame, type SocketFrame } from "#protocol/socket.ts";

export type Client = {
  /** @throws MeshError as the daemon answers */
  ask(method: string, params?: object): Promise<Record<string, unknown>>;
};

type Waiting = { resolve(result: Record<string, unknown>): void; reject(error: Error): void };

export function clientOf(serve: Serve, session?: string): Client {
  const waiting = new Map<number, Waiting>();
  let next = 1;
  const decoder = createSocketDecoder(LIMITS.socketFrame, ({ type, data }) => {
    if (type !== "response") return;
    const { id, result, error } = data as { id: number; result?: object; error?: never };
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error) asked?.reject(fromErrorShape(error));
    else asked?.resolve({ ...result });
  });
  const served = serve({
    send: (text) => decoder.take(utf8(text)),
    end() {},
    pause() {},
    resume() {},
    unread: () => 0,
  });
  const say = (frame: SocketFrame) => served.data(utf8(encodeSocketFrame(frame)));
  say({ type: "hello", data: { client: "cli", version: "0.0.0", ...(session ? { session } : {}) } });
  return {
    ask(method, params = {}) {
      const id = next++;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        say({ type: "request", data: { id, method, params } });
      });
    },
  };
}
