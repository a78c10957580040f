/** One device's connection: challenge, hello, then frames until either side ends it. */
import { ERRORS, errorShape, MeshError } from "#protocol/errors.ts";
import {
  decodeFromDevice,
  decodeRecordFrame,
  encodeFrame,
  encodeRecordFrame,
  type FromDevice,
  type Hello,
  newNonce,
  type Signal,
} from "#protocol/frames.ts";
import { CHAIN, EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Socket } from "#protocol/ports.ts";
import { decodeRecord } from "#protocol/record.ts";
import { PROTOCOL_VERSION } from "#protocol/version.ts";
import type { Author } from "../log/judge.ts";
import type { Log, WorkspaceLog } from "../log/log.ts";
import type { BrokerConfig, BrokerPorts } from "../ports.ts";
import type { PresenceBook } from "../presence/presence.ts";
import { createFeeder } from "./feeder.ts";
import { type Beginning, beginningOf, judgeHello } from "./hello.ts";
import type { Occupant, Room } from "./room.ts";

/** WebSocket close codes: 1008 for a refusal, 1000 else (RFC 6455 §7.4). */
const REFUSED = 1008;

/** What the gateway lends to each of its connections. */
export type Floor = {
  ports: BrokerPorts;
  config: BrokerConfig;
  log: Log;
  presence: PresenceBook;
  enter(log: WorkspaceLog, occupant: Occupant): Room;
  leave(room: Room, occupant: Occupant): void;
};

type Seat = { author: Author; room: Room; occupant: Occupant };

export function serveConnection(floor: Floor, socket: Socket): void {
  const { ports, config } = floor;
  const nonce = newNonce(ports.random);
  let seat: Seat | null = null;
  let greeted = false;
  let closed = false;

  const sendError = (error: unknown, about: { id?: string; request?: number } = {}) => {
    const shape = errorShape(error);
    if (shape.code === "unexpected") ports.log.error({ error: String(error) }, "a connection's frame failed");
    socket.send(encodeFrame({ type: "error", ...shape, retry: ERRORS[shape.code].retry, ...about }));
  };

  const refuse = (error: unknown) => {
    if (closed) return;
    sendError(error);
    socket.close(REFUSED, errorShape(error).code);
  };

  const cancelHelloLimit = ports.timers.after(config.helloMs, () => {
    if (!seat) refuse(new MeshError("timeout", "No hello came in time.", "Connect again."));
  });

  const greet = async (hello: Hello) => {
    const log = await floor.log.open(hello.workspace);
    try {
      const admitted = await judgeHello(ports, config, nonce, hello, log);
      const beginning = await beginningOf(ports, hello, log);
      if (!closed) seat = takeSeat(floor, socket, log, admitted, hello.labels, beginning, refuse);
    } finally {
      if (!seat) floor.log.release(log);
    }
  };

  const onText = (text: string) => {
    const frame = decodeFromDevice(text);
    if (frame.type === "hello") {
      if (greeted) throw new MeshError("bad_frame", "A connection says hello once.", "Connect again.");
      greeted = true;
      return greet(frame);
    }
    if (!seat) throw new MeshError("bad_frame", "The first frame is a hello.", "Answer the challenge first.");
    return answer(floor, socket, seat, frame, sendError);
  };

  const onRecord = (bytes: Uint8Array) => {
    if (!seat) throw new MeshError("bad_frame", "The first frame is a hello.", "Answer the challenge first.");
    const { outer, record: recordBytes } = decodeRecordFrame(bytes);
    if (outer.type !== "send") {
      throw new MeshError("bad_frame", "A device sends; only the broker pushes.", "Update claudemesh.");
    }
    const record = decodeRecord(recordBytes);
    const { id } = record.header;
    floor.log.append(seat.room.log, seat.author, record, (outcome) => {
      if (outcome.type === "stored") socket.send(encodeFrame({ type: "ack", id, ...outcome.place }));
      if (outcome.type === "refused") sendError(outcome.error, { id });
      if (outcome.type === "conflict") {
        const { cell, live } = outcome;
        socket.send(encodeRecordFrame({ type: "current", id, seq: cell.seq, at: cell.at, live }, cell.bytes));
      }
    });
  };

  socket.listen({
    message(data) {
      // What can't even be decoded ends the connection: the two sides don't speak the same protocol.
      Promise.resolve()
        .then(() => (typeof data === "string" ? onText(data) : onRecord(data)))
        .catch(refuse);
    },
    close() {
      closed = true;
      cancelHelloLimit();
      if (!seat) return;
      seat.occupant.feeder.stop();
      floor.leave(seat.room, seat.occupant);
      if (seat.author.standing === "member") floor.presence.disconnected(seat.room.log.id, seat.author.dev);
      floor.log.release(seat.room.log);
    },
  });
  socket.send(encodeFrame({ type: "challenge", protocol: PROTOCOL_VERSION, nonce }));
}

function takeSeat(
  floor: Floor,
  socket: Socket,
  log: WorkspaceLog,
  admitted: Omit<Author, "halted">,
  wanted: readonly string[],
  { resume, cursor }: Beginning,
  refuse: (error: unknown) => void,
): Seat {
  const isMember = admitted.standing === "member";
  const labels = new Set(isMember ? wanted : [CHAIN]);
  for (const label of labels) requireOwnLabel(log, admitted.member, label);
  const feeder = createFeeder(floor.ports.store, log, { member: admitted.member, labels }, socket, refuse);
  const occupant: Occupant = {
    member: admitted.member,
    dev: admitted.dev,
    hearsOthers: isMember,
    labels,
    feeder,
    sendText: (text) => socket.send(text),
    expel: () => {
      if (isMember) {
        refuse(
          new MeshError(
            "not_a_member",
            "This device no longer belongs to the workspace.",
            "Ask for an invite link.",
          ),
        );
      }
    },
  };
  socket.send(
    encodeFrame({
      type: "hello_ack",
      standing: admitted.standing,
      logId: log.logId,
      head: log.head,
      floor: log.floor,
      resume,
      chain: log.chain?.head ?? null,
      heartbeatMs: floor.config.heartbeatMs,
    }),
  );
  const room = floor.enter(log, occupant);
  feeder.start(cursor);
  if (isMember) {
    for (const frame of floor.presence.connected(log.id, admitted.dev)) socket.send(encodeFrame(frame));
  }
  return { author: { ...admitted, halted: null }, room, occupant };
}

async function answer(
  floor: Floor,
  socket: Socket,
  { author, room, occupant }: Seat,
  frame: Exclude<FromDevice, { type: "hello" }>,
  sendError: (error: unknown, about: { request?: number }) => void,
): Promise<void> {
  switch (frame.type) {
    case "received":
      return occupant.feeder.credit(frame.records, frame.bytes);
    case "unsubscribe":
      return room.unsubscribe(occupant, frame.labels);
    case "presence":
      requireMember(author);
      return floor.presence.update(room.log.id, author, frame);
    case "signal":
      return relaySignal(room, author, frame, socket);
    case "pull":
    case "subscribe":
    case "read":
      break;
  }
  const { request } = frame;
  try {
    requireMember(author);
    if (frame.type === "subscribe") {
      for (const label of frame.labels) requireOwnLabel(room.log, author.member, label);
      if (occupant.labels.size + frame.labels.length > LIMITS.labels) {
        throw new MeshError(
          "too_large",
          `A connection has at most ${LIMITS.labels} labels.`,
          "Leave some topics.",
        );
      }
      room.subscribe(occupant, frame.labels);
      const { head, floor: lowest } = room.log;
      return socket.send(encodeFrame({ type: "subscribed", request, head, floor: lowest }));
    }
    if (frame.type === "pull") {
      const faces = floor.presence.pull(room.log.id, frame.after);
      return socket.send(encodeFrame({ ...faces, request }));
    }
    requireOwnLabel(room.log, author.member, frame.label);
    const records = await floor.ports.store.history(room.log.id, frame.label, frame.before, frame.limit);
    socket.sendAll([
      ...records.map(({ seq, at, bytes }) => encodeRecordFrame({ type: "item", request, seq, at }, bytes)),
      encodeFrame({ type: "page", request, more: records.length === frame.limit }),
    ]);
  } catch (error) {
    sendError(error, { request });
  }
}

/** @throws MeshError wrong_author, not_allowed */
function relaySignal(room: Room, author: Author, frame: Signal, socket: Socket): void {
  requireMember(author);
  if (frame.member !== author.member || frame.dev !== author.dev) {
    throw new MeshError("wrong_author", "The signal names another device.", "Send your own signals.");
  }
  if ("label" in frame.to) requireOwnLabel(room.log, author.member, frame.to.label);
  if (room.signal(frame) || "label" in frame.to) return;
  socket.send(encodeFrame({ type: "gone", dev: frame.to.dev, number: frame.number }));
}

function requireMember(author: Author): void {
  if (author.standing !== "member")
    throw new MeshError("not_a_member", "Only members read here.", "Join first.");
}

/** A member's label is that member's alone; the others are open to all members, who can't open what isn't sealed to them. */
function requireOwnLabel(log: WorkspaceLog, member: string, label: string): void {
  if (label === EVERYONE || label === CHAIN || label === member) return;
  if (log.chain?.members.has(label)) {
    throw new MeshError("not_allowed", "Another member's label is theirs alone.", "Subscribe to your own.");
  }
}
