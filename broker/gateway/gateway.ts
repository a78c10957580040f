/** Takes in WebSockets and keeps one room for each workspace that somebody is connected to. */
import { errorShape } from "#protocol/errors.ts";
import { encodeFrame } from "#protocol/frames.ts";
import type { Socket } from "#protocol/ports.ts";
import { BROKER_LIMITS } from "../limits.ts";
import type { Log, WorkspaceLog } from "../log/log.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { createPresenceBook } from "../presence/presence.ts";
import { createAdmission } from "./admission.ts";
import { boundedSocket, countingSocket } from "./bounded.ts";
import { busy, retryAfter } from "./busy.ts";
import { serveConnection } from "./connection.ts";
import { createRoom, type Occupant, type Room } from "./room.ts";
import { createShowing } from "./showing.ts";
import { createStrangers } from "./strangers.ts";

/** WebSocket close codes (RFC 6455 §7.4, and its registry): refused, and come back later. */
const REFUSED = 1008;
const TRY_AGAIN_LATER = 1013;

export type Gateway = {
  /** `address`: where the connection comes from, as far as limits tell addresses apart. */
  accept(socket: Socket, address?: string): void;
  connections(): number;
  /** Ends all connections; the devices come back by themselves. */
  stop(): void;
};

export function createGateway(ports: CountingPorts, config: BrokerConfig, log: Log): Gateway {
  const { metrics } = ports;
  const limits = { ...BROKER_LIMITS, ...config.limits };
  const presence = createPresenceBook(ports, config);
  const showing = createShowing(ports.timers, limits.presenceMs, presence.update);
  const admission = createAdmission(ports, limits);
  const strangers = createStrangers(limits.strangersPerAddress);
  const rooms = new Map<string, { room: Room; close(): void }>();
  const sockets = new Set<Socket>();
  let stopped = false;

  const enter = (opened: WorkspaceLog, occupant: Occupant): Room => {
    const known = rooms.get(opened.id)?.room;
    const room = known ?? createRoom(opened, limits.connectionsPerDevice);
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

  const turnAway = (socket: Socket, limit: string, why: string) => {
    metrics.count("limited", 1, limit);
    const error = busy(why, admission.backOff());
    socket.listen({ message() {}, close() {} });
    socket.send(encodeFrame({ type: "error", ...errorShape(error), retry: true, ...retryAfter(error) }));
    socket.close(TRY_AGAIN_LATER, error.code);
  };

  metrics.watch(() => {
    const open = [...rooms.values()].map(({ room }) => room);
    return {
      connections: sockets.size,
      lagging_connections: open.reduce((sum, room) => sum + room.lagging(), 0),
      open_workspaces: rooms.size,
      waiting_records: open.reduce((sum, one) => sum + one.log.pending, 0),
    };
  });

  const floor = { ports, config, limits, log, admission, presence, showing, enter, leave };
  return {
    accept(socket, address = "") {
      if (sockets.size >= limits.connections) return turnAway(socket, "connections", "The broker is full.");
      const known = strangers.meet(address);
      if (!known) return turnAway(socket, "address", "Too many devices connect from one address at once.");
      sockets.add(socket);
      const bounded = boundedSocket(countingSocket(socket, metrics), limits.buffer, () => {
        metrics.count("limited", 1, "buffer");
        socket.close(REFUSED, "slow");
      });
      serveConnection(floor, bounded, { known, gone: () => sockets.delete(socket) });
    },
    connections: () => sockets.size,
    stop() {
      stopped = true;
      cancelBeat();
      for (const socket of sockets) socket.close(1001, "the broker stops");
    },
  };
}
