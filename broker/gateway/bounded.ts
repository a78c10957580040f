/** Sockets that know what goes through them. */
import type { Socket } from "#protocol/ports.ts";
import type { Metrics } from "../metrics.ts";

type Data = string | Uint8Array;

/** Counts what goes out. What comes in is counted where its pace is. */
export function countingSocket(socket: Socket, metrics: Metrics): Socket {
  return {
    ...socket,
    send(data) {
      metrics.count("sent_bytes", data.length);
      socket.send(data);
    },
    sendAll(frames) {
      metrics.count(
        "sent_bytes",
        frames.reduce((sum: number, data: Data) => sum + data.length, 0),
      );
      socket.sendAll(frames);
    },
  };
}

/** Ends when its other end lets too much pile up here, whatever it was that was sent. */
export function boundedSocket(socket: Socket, mostBuffered: number, tooSlow: () => void): Socket {
  let isOver = false;
  const look = () => {
    if (isOver || socket.buffered() <= mostBuffered) return;
    isOver = true;
    tooSlow();
  };
  return {
    ...socket,
    send(data) {
      if (isOver) return;
      socket.send(data);
      look();
    },
    sendAll(frames) {
      if (isOver) return;
      socket.sendAll(frames);
      look();
    },
  };
}
