/** Takes in WebSockets and keeps one room for each workspace that somebody is connected to. */
import type { Socket } from "#protocol/ports.ts";
import type { Log, WorkspaceLog } from "../log/log.ts";
import type { BrokerConfig, BrokerPorts } from "../ports.ts";
import { createPresenceBook } from "../presence/presence.ts";
import { serveConnection } from "./connection.ts";
import { createRoom, type Occupant, type Room } from "./room.ts";

export type Gateway = {
  accept(socket: Socket): void;
  connections(): number;
  /** Ends all connections; the devices come back by themselves. */
  stop(): void;
};

export function createGateway(ports: BrokerPorts, config: BrokerConfig, log: Log): Gateway {
  const presence = createPresenceBook(ports, config);
  const rooms = new Map<string, { room: Room; close(): void }>();
  const sockets = new Set<Socket>();
  let stopped = false;

  const enter = (opened: WorkspaceLog, occupant: Occupant): Room => {
    const known = rooms.get(opened.id)?.room;
    const room = known ?? createRoom(opened);
    if (!known) rooms.set(opened.id, { room, close: ports.bus.subscribe(opened.id, room.hear) });
    room.enter(occupant);
    return room;
  };

  const leave = (room: Room, occupant: Occupant) => {
    room.leave(occupant);
    if (room.size() > 0) return;
    rooms.get(room.log.id)?.close();
    rooms.delete(room.log.id);
  };

  let cancelBeat = () => {};
  const beat = () => {
    for (const { room } of rooms.values()) room.heartbeat();
    if (!stopped) cancelBeat = ports.timers.after(config.heartbeatMs, beat);
  };
  cancelBeat = ports.timers.after(config.heartbeatMs, beat);

  const floor = { ports, config, log, presence, enter, leave };
  return {
    accept(socket) {
      sockets.add(socket);
      serveConnection(floor, {
        ...socket,
        listen: (handlers) =>
          socket.listen({
            message: handlers.message,
            close() {
              sockets.delete(socket);
              handlers.close();
            },
          }),
      });
    },
    connections: () => sockets.size,
    stop() {
      stopped = true;
      cancelBeat();
      for (const socket of sockets) socket.close(1001, "the broker stops");
    },
  };
}
