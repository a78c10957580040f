/**
 * Ends WebSockets whose other end is gone, or doesn't read: they answer no ping. A device that has vanished without a
 * word would else count as present for a quarter of an hour, and one that reads nothing would hold what waits for it.
 */
import type { WebSocket } from "ws";

/** Pings from the other end between two of ours. Ours send none, proxies one now and then. */
const MOST_PINGS = 30;
/** So many pings unanswered are one too many. A device that loads slowly answers once what came before is through. */
const MISSED = 3;

export type Liveness = { watch(socket: WebSocket): void; stop(): void };

/** Asks all of them every third of `limitMs`. */
export function createLiveness(limitMs: number): Liveness {
  const watched = new Map<WebSocket, { unanswered: number; pings: number }>();

  const look = () => {
    for (const [socket, state] of watched) {
      state.pings = 0;
      if (++state.unanswered > MISSED) socket.terminate();
      else socket.ping();
    }
  };
  const timer = setInterval(look, limitMs / MISSED);
  // It watches over connections; it is no reason for the process to stay.
  timer.unref();

  return {
    watch(socket) {
      const state = { unanswered: 0, pings: 0 };
      watched.set(socket, state);
      socket.on("pong", () => {
        state.unanswered = 0;
      });
      socket.on("ping", () => {
        if (++state.pings > MOST_PINGS) socket.terminate();
      });
      socket.on("close", () => watched.delete(socket));
    },
    stop: () => clearInterval(timer),
  };
}
