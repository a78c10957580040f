/** A socket that ends when its other end lets too much pile up here, whatever it was that was sent. */
import type { Socket } from "#protocol/ports.ts";

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
