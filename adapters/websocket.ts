/** A ws WebSocket as the socket port; the same for the broker's end and the daemon's. */
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Socket } from "#protocol/ports.ts";
import { corkOf } from "./cork.ts";

/** `stream` is the connection under the WebSocket. */
export function socketOf(ws: WebSocket, stream: Duplex): Socket {
  const cork = corkOf(stream);
  const send = (data: string | Uint8Array) => {
    if (ws.readyState === ws.OPEN) ws.send(data);
  };
  return {
    send(data) {
      cork.hold();
      send(data);
    },
    sendAll(frames) {
      // ws writes each frame by itself; under a cork they leave in one system call.
      stream.cork();
      for (const frame of frames) send(frame);
      stream.uncork();
    },
    close(code, reason) {
      ws.close(code, reason);
      // The process may end right after, and what was said before it ends is heard all the same.
      cork.release();
    },
    buffered: () => ws.bufferedAmount,
    drained: () =>
      new Promise((resolve) => {
        if (!stream.writableNeedDrain || stream.destroyed) return resolve();
        const done = () => {
          stream.off("drain", done);
          stream.off("close", done);
          resolve();
        };
        stream.on("drain", done);
        stream.on("close", done);
      }),
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    listen(handlers) {
      ws.on("message", (data, isBinary) => {
        if (Buffer.isBuffer(data)) handlers.message(isBinary ? data : data.toString("utf8"));
      });
      ws.on("error", () => ws.terminate());
      ws.on("close", () => handlers.close());
    },
  };
}
