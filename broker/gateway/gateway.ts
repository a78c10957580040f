/** Takes in WebSockets and keeps one room for each workspace that somebody is connected to. */
import { errorShape } from "#protocol/errors.ts";
import { encodeFrame } from "#protocol/frames.ts";
import type { Socket } from "#protocol/ports.ts";
import type { Invites } from "../invites/invites.ts";
import { BROKER_LIMITS } from "../limits.ts";
import type { WorkspaceLog } from "../log/log.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { createPresenceBook } from "../presence/presence.ts";
import { createAdmission } from "./admission.ts";
import { boundedSocket, countingSocket } from "./bounded.ts";
import { busy, retryAfter } from "./busy.ts";
import { type Served, serveConnection } from "./connection.ts";
import { createRoom, type Occupant, type Room } from "./room.ts";
import { createShowing } from "./showing.ts";
import { createStrangers } from "./strangers.ts";
import type { WatchedLog } from "./work.ts";

/** WebSocket close codes (RFC 6455 §7.4, and its registry): refused, and come back later. */
const REFUSED = 1008;
const TRY_AGAIN_LATER = 1013;

/** What a broker takes to be there again, at least. */
const RESTART_MS = 1000;

export type Gateway = {
  /** `address`: where the connection comes from, as far as limits tell addresses apart. */
  accept(socket: Socket, address?: string): void;
  connections(): number;
  /**
   * Takes in nothing more, finishes what was taken, tells each device when to come back, each another time, and
   * resolves when all of them have gone, or `limitMs` are over.
   */
  stop(limitMs: number): Promise<void>;
};

export function createGateway(
  ports: CountingPorts,
  config: BrokerConfig,
  log: WatchedLog,
  invites: Invites,
): Gateway {
  const { metrics } = ports;
  const limits = { ...BROKER_LIMITS, ...config.limits };
  const presence = createPresenceBook(ports, config);
  const showing = createShowing(ports.timers, limits.presenceMs, presence.update);
  const admission = createAdmission(ports, limits);
  const strangers = createStrangers(limits.strangersPerAddress);
  const rooms = new Map<string, { room: Room; close(): void }>();
  const served = new Map<Socket, Served>();
  let stopped = false;
  /** All have gone. */
  const gone = Promise.withResolvers<void>();

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
      connections: served.size,
      lagging_connections: open.reduce((sum, room) => sum + room.lagging(), 0),
      open_workspaces: rooms.size,
      waiting_records: open.reduce((sum, one) => sum + one.log.pending, 0),
    };
  });

  const floor = { ports, config, limits, log, invites, admission, presence, showing, enter, leave };
  return {
    accept(socket, address = "") {
      if (stopped) return turnAway(socket, "stopping", "The broker stops.");
      if (served.size >= limits.connections) return turnAway(socket, "connections", "The broker is full.");
      const known = strangers.meet(address);
      if (!known) return turnAway(socket, "address", "Too many devices connect from one address at once.");
      const bounded = boundedSocket(countingSocket(socket, metrics), limits.buffer, () => {
        metrics.count("limited", 1, "buffer");
        socket.close(REFUSED, "slow");
      });
      const leave = () => {
        served.delete(socket);
        if (stopped && served.size === 0) gone.resolve();
      };
      served.set(socket, serveConnection(floor, bounded, { known, gone: leave }));
    },
    connections: () => served.size,
    async stop(limitMs) {
      stopped = true;
      cancelBeat();
      const over = Promise.withResolvers<void>();
      const cancelLimit = ports.timers.after(limitMs, over.resolve);
      for (const { hush } of served.values()) hush();
      await Promise.race([log.idle(), over.promise]);
      for (const { dismiss } of served.values()) {
        dismiss(busy("The broker stops, or starts again.", RESTART_MS + admission.backOff()));
      }
      if (served.size > 0) await Promise.race([gone.promise, over.promise]);
      cancelLimit();
    },
  };
}
