/** One device's connection: challenge, hello, then frames until either side ends it. */
import { heirOf } from "#protocol/chain/state.ts";
import { ERRORS, errorShape, MeshError } from "#protocol/errors.ts";
import {
  decodeFromDevice,
  encodeFrame,
  type FromDevice,
  type Hello,
  newNonce,
  type Signal,
} from "#protocol/frames.ts";
import { CHAIN, EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Socket } from "#protocol/ports.ts";
import { PROTOCOL_VERSION } from "#protocol/version.ts";
import type { Invites } from "../invites/invites.ts";
import type { BrokerLimits } from "../limits.ts";
import { withoutBlocked } from "../log/blocks.ts";
import type { Author } from "../log/judge.ts";
import type { Log, WorkspaceLog } from "../log/log.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import type { PresenceBook } from "../presence/presence.ts";
import type { Admission } from "./admission.ts";
import { busy, retryAfter } from "./busy.ts";
import { createFeeder } from "./feeder.ts";
import { type Beginning, beginningOf, judgeHello } from "./hello.ts";
import { createIntake, type Intake } from "./intake.ts";
import { createPace, type Excess, type Pace } from "./pace.ts";
import { createReading, type Reading } from "./reading.ts";
import type { Occupant, Room } from "./room.ts";
import type { Showing } from "./showing.ts";

/** WebSocket close codes: 1008 for a refusal, 1000 else (RFC 6455 §7.4). */
const REFUSED = 1008;

/** What the gateway lends to each of its connections. */
export type Floor = {
  ports: CountingPorts;
  config: BrokerConfig;
  limits: BrokerLimits;
  log: Log;
  invites: Invites;
  admission: Admission;
  presence: PresenceBook;
  showing: Showing;
  enter(log: WorkspaceLog, occupant: Occupant): Room;
  leave(room: Room, occupant: Occupant): void;
};

type SendError = (error: unknown, about?: { id?: string; request?: number }) => void;

/** A greeted device's place in its workspace. */
type Seat = {
  author: Author;
  room: Room;
  occupant: Occupant;
  intake: Intake;
  reading: Reading;
  /** The broker's address as the device knows it. */
  origin: string;
};

type Owner = {
  /** The broker knows who it is, or that it won't. May be called more than once. */
  known(): void;
  gone(): void;
};

export type Served = {
  /** Takes in nothing more; what came before is still answered. */
  hush(): void;
  dismiss(why: MeshError): void;
};

export function serveConnection(floor: Floor, socket: Socket, { known, gone }: Owner): Served {
  const { ports, config, limits } = floor;
  const { metrics } = ports;
  const nonce = newNonce(ports.random);
  const pace = createPace(ports.clock, limits);
  let seat: Seat | null = null;
  let greeted = false;
  let hushed = false;
  let ended = false;

  const sendError: SendError = (error, about = {}) => {
    const shape = errorShape(error);
    if (shape.code === "unexpected") ports.log.error({ error: String(error) }, "a connection's frame failed");
    const { retry } = ERRORS[shape.code];
    socket.send(encodeFrame({ type: "error", ...shape, retry, ...retryAfter(error), ...about }));
  };

  const end = () => {
    ended = true;
    cancelHelloLimit();
    known();
    seat?.occupant.feeder.stop();
    seat?.reading.stop();
  };

  const refuse = (error: unknown) => {
    if (ended) return;
    const { code } = errorShape(error);
    if (greeted && !seat) metrics.count("hellos", 1, code);
    sendError(error);
    end();
    socket.close(REFUSED, code);
  };

  const cancelHelloLimit = ports.timers.after(config.helloMs, () => {
    metrics.count("limited", 1, "hello");
    refuse(new MeshError("timeout", "No hello came in time.", "Connect again."));
  });

  const greet = (hello: Hello) => {
    if (greeted) throw new MeshError("bad_frame", "A connection says hello once.", "Connect again.");
    greeted = true;
    cancelHelloLimit();
    return floor.admission.admit(async () => {
      if (ended) return;
      const log = await floor.log.open(hello.workspace);
      try {
        const admitted = await judgeHello(ports, config, nonce, hello, log);
        const beginning = await beginningOf(ports, hello, log);
        if (ended) return;
        const way = { pace, refuse, sendError };
        seat = takeSeat(floor, socket, log, admitted, hello, beginning, way);
        metrics.count("hellos", 1, admitted.standing);
      } finally {
        if (!seat) floor.log.release(log);
        known();
      }
    });
  };

  const seated = () => {
    if (seat) return seat;
    throw new MeshError("bad_frame", "The first frame is a hello.", "Answer the challenge first.");
  };

  const onText = (text: string, excess: Excess | null) => {
    if (text.length > limits.controlFrame) {
      throw new MeshError("too_large", "The frame is longer than any of ours.", "Update claudemesh.");
    }
    const frame = decodeFromDevice(text);
    return frame.type === "hello" ? greet(frame) : answer(floor, socket, seated(), frame, excess, sendError);
  };

  /** What can't even be decoded ends the connection: the two sides don't speak the same protocol. */
  const onMessage = (data: string | Uint8Array) => {
    if (ended || hushed) return;
    const excess = pace.take(data.length);
    metrics.count("received_bytes", data.length);
    try {
      if (excess?.isIgnored) {
        metrics.count("limited", 1, "pace");
        throw busy("This device sends too much, and didn't wait.", excess.retryAfterMs);
      }
      if (typeof data === "string") onText(data, excess)?.catch(refuse);
      else seated().intake.take(data, excess);
    } catch (error) {
      refuse(error);
    }
  };

  socket.listen({
    message: onMessage,
    close() {
      end();
      gone();
      if (!seat) return;
      floor.leave(seat.room, seat.occupant);
      if (seat.author.standing === "member") {
        floor.showing.left(seat.room.log.id, seat.author);
        floor.presence.disconnected(seat.room.log.id, seat.author.dev);
      }
      floor.log.release(seat.room.log);
    },
  });
  socket.send(encodeFrame({ type: "challenge", protocol: PROTOCOL_VERSION, nonce }));
  return {
    hush() {
      hushed = true;
    },
    dismiss: refuse,
  };
}

function takeSeat(
  floor: Floor,
  socket: Socket,
  log: WorkspaceLog,
  admitted: Omit<Author, "halted">,
  { labels: wanted, origin }: Hello,
  { resume, cursor }: Beginning,
  { pace, refuse, sendError }: { pace: Pace; refuse: (error: unknown) => void; sendError: SendError },
): Seat {
  const { ports, limits } = floor;
  const author = { ...admitted, halted: null };
  const isMember = admitted.standing === "member";
  const labels = new Set(isMember ? wanted : [CHAIN]);
  for (const label of labels) requireOwnLabel(log, admitted.member, label);
  const reader = { member: admitted.member, labels };
  const feeder = createFeeder({ ...ports, limits }, log, reader, socket, refuse);
  const occupant: Occupant = {
    member: admitted.member,
    dev: admitted.dev,
    hearsOthers: isMember,
    labels,
    feeder,
    sendText: (text) => socket.send(text),
    supersede() {
      ports.metrics.count("limited", 1, "device");
      refuse(busy("This device has connected too often.", limits.longestBackOffMs));
    },
    expel: (why) => {
      if (isMember || why.code === "device_revoked") refuse(why);
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
    for (const frame of floor.presence.connected(log.id, admitted.dev))
      socket.send(encodeFrame(withoutBlocked(log, admitted.member, frame)));
  }
  const intake = createIntake(floor, socket, log, author, pace, sendError);
  const reading = createReading(ports.store, log.id, socket, limits);
  return { author, room, occupant, intake, reading, origin };
}

async function answer(
  floor: Floor,
  socket: Socket,
  { author, room, occupant, reading, origin }: Seat,
  frame: Exclude<FromDevice, { type: "hello" }>,
  excess: Excess | null,
  sendError: SendError,
): Promise<void> {
  switch (frame.type) {
    case "received":
      return occupant.feeder.credit(frame.records, frame.bytes);
    case "unsubscribe":
      return room.unsubscribe(occupant, frame.labels);
    case "presence":
      requireMember(author);
      floor.ports.metrics.count("presence_frames");
      return floor.showing.show(room.log.id, author, frame);
    case "signal":
      return relaySignal(room, author, frame, socket);
    case "pull":
    case "subscribe":
    case "read":
    case "mail":
    case "requests":
    case "answer":
    case "block":
      break;
  }
  const { request } = frame;
  try {
    requireMember(author);
    if (excess) throw busy("This device asks too much at once.", excess.retryAfterMs);
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
      const all = floor.presence.pull(room.log.id, frame.after);
      const faces = withoutBlocked(room.log, author.member, all);
      return socket.send(encodeFrame({ ...faces, request }));
    }
    if (frame.type === "read") {
      requireOwnLabel(room.log, author.member, frame.label);
      return await reading.page(frame);
    }
    if (frame.type === "block") {
      await floor.log.block(room.log, author.member, frame.members);
      return socket.send(encodeFrame({ type: "blocked", request }));
    }
    await answerInvite(floor.invites, socket, room.log, author, origin, frame);
  } catch (error) {
    sendError(error, { request });
  }
}

async function answerInvite(
  invites: Invites,
  socket: Socket,
  log: WorkspaceLog,
  { member }: Author,
  origin: string,
  frame: Extract<FromDevice, { type: "mail" | "requests" | "answer" }>,
): Promise<void> {
  const { request, code } = frame;
  switch (frame.type) {
    case "mail":
      await invites.mail(log, member, origin, frame);
      return socket.send(encodeFrame({ type: "mailed", request }));
    case "requests": {
      const requests = await invites.waiting(log, member, code);
      return socket.send(encodeFrame({ type: "requested", request, code, requests }));
    }
    case "answer":
      await invites.answer(log, member, frame);
      return socket.send(encodeFrame({ type: "answered", request }));
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

/** A member's label is that member's alone, or the heir's; the others are open to all members, who can't open what isn't sealed to them. */
function requireOwnLabel(log: WorkspaceLog, member: string, label: string): void {
  if (label === EVERYONE || label === CHAIN || label === member) return;
  if (log.chain?.members.has(label) && heirOf(log.chain, label) !== member) {
    throw new MeshError("not_allowed", "Another member's label is theirs alone.", "Subscribe to your own.");
  }
}
