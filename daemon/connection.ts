/**
 * One client of a socket: hello first, then requests, answered in turn. What it may cost is bounded here: the size and
 * depth of a frame, the time for one, how much is under way at once. What goes beyond ends or delays it, and nobody else.
 */

import { MeshError } from "#protocol/errors.ts";
import { firstIssue } from "#protocol/json.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Log, Timers } from "#protocol/ports.ts";
import {
  createSocketDecoder,
  encodeSocketFrame,
  type SocketFrame,
  type SocketHello,
  type SocketRequest,
} from "#protocol/socket.ts";
import { type Answer, shapeOf, sharesTurn, type Wire } from "./dispatch.ts";
import { socketHello, socketRequest } from "./socket-schema.ts";

/** The daemon's end of a connection. */
export type Channel = {
  send(text: string): void;
  /** Lets out what was sent, then closes. */
  end(): void;
  /** Between the two nothing is read. */
  pause(): void;
  resume(): void;
  /** Bytes sent that the client hasn't read. */
  unread(): number;
};

export type Served = {
  data(chunk: Uint8Array): void;
  /** The client has read everything. */
  drained(): void;
  closed(): void;
  /** It has to go: nothing of it is heard or kept any more. */
  expelled(): void;
  isGreeted(): boolean;
  /** Bytes kept for it, coming and going. */
  held(): number;
};

export type Serve = (channel: Channel) => Served;

const HELLO_LIMIT_MS = 10_000;
/** From a frame's first byte to its last. */
const FRAME_LIMIT_MS = 30_000;
/** Requests that wait for something at the same time. */
const MAX_WAITING = 256;
const MAX_STREAMS = 16;
/** Writes begun in one turn: then their commit costs each of them little, and others haven't waited long. */
const TURN_WRITES = 32;
/** With more than this unread, a client is heard again once it has read. */
const BEHIND_BYTES = 1024 * 1024;

export function createServe({
  answer,
  version,
  pid,
  log,
  timers,
}: {
  answer: Answer;
  version: string;
  pid: number;
  log: Log;
  timers: Timers;
}): Serve {
  return (channel) => {
    const endings = new Set<() => void>();
    const queue: SocketRequest[] = [];
    let hello: SocketHello | null = null;
    let waiting = 0;
    let streams = 0;
    let turnTaken = false;
    let ended = false;

    const send = (frame: SocketFrame) => {
      if (!ended) channel.send(encodeSocketFrame(frame));
    };

    const forget = () => {
      ended = true;
      queue.length = 0;
      // A client that doesn't go keeps its connection, and nothing else.
      decoder.drop();
    };

    /** What isn't our protocol, or too much of it, ends the connection, and only that. */
    const refuse = (error: unknown) => {
      if (ended) return;
      send({ type: "error", data: shapeOf(error, log, "frame") });
      forget();
      channel.end();
    };

    const wireOf = (id: number): Wire => ({
      held: (approval) => send({ type: "held", data: { id, approval } }),
      emit: (event) => send({ type: "event", data: { id, event } }),
      ended: (run) => void (ended ? run() : endings.add(run)),
      openStream() {
        if (streams === MAX_STREAMS) throw tooMuch(`${MAX_STREAMS} streams`, "Open another connection.");
        streams++;
        return () => void streams--;
      },
    });

    const begin = async (from: SocketHello, request: SocketRequest) => {
      waiting++;
      send({ type: "response", data: await answer(from, request, wireOf(request.id)) });
      waiting--;
    };

    const refuseRequest = ({ id }: SocketRequest) => {
      const error = tooMuch(`${MAX_WAITING} requests at once`, "Wait for some of their answers.");
      send({ type: "response", data: { id, error: shapeOf(error, log, "request") } });
    };

    /** What is begun in one turn of the event loop: a request, or as many writes as share a commit. */
    const beginTurn = (from: SocketHello) => {
      const next = queue.slice(0, TURN_WRITES);
      const other = next.findIndex(({ method }) => !sharesTurn(method));
      for (const request of queue.splice(0, other < 0 ? next.length : Math.max(1, other))) {
        if (waiting < MAX_WAITING) begin(from, request);
        else refuseRequest(request);
      }
    };

    /** Others have their turn in between, and the answers count before the next. */
    const pump = () => {
      const isBehind = channel.unread() > BEHIND_BYTES;
      if (hello && !turnTaken && !isBehind) beginTurn(hello);
      if (queue.length === 0) return channel.resume();
      channel.pause();
      if (turnTaken || isBehind) return;
      turnTaken = true;
      timers.soon(() => {
        turnTaken = false;
        pump();
      });
    };

    const onFrame = ({ type, data }: { type: string; data: unknown }) => {
      frameLimit.frameEnded();
      if (type === "hello" && !hello) {
        hello = parse(socketHello, data);
        cancelHelloLimit();
        decoder.allow(LIMITS.socketFrame);
        send({ type: "welcome", data: { version, pid } });
      } else if (type === "request" && hello) {
        queue.push(parse(socketRequest, data));
      } else if (type === "request") {
        throw badFrame("The first frame is a hello.", 'Send {"type":"hello","data":{"client","version"}}.');
      } else if (type === "hello") {
        throw badFrame("A connection says hello once.", "Open another connection.");
      } else {
        throw badFrame(`There is no frame "${type.slice(0, 50)}".`, "Send hello, then requests.");
      }
    };

    const decoder = createSocketDecoder(LIMITS.socketHello, onFrame);
    const frameLimit = createFrameLimit(timers, () => refuse(tooSlow("A frame didn't end in time.")));
    const cancelHelloLimit = timers.after(HELLO_LIMIT_MS, () => refuse(tooSlow("No hello came in time.")));

    return {
      data(chunk) {
        if (ended) return;
        try {
          decoder.take(chunk);
          frameLimit.see(decoder.held() > 0);
        } catch (error) {
          refuse(error);
        }
        if (!ended) pump();
      },
      drained: pump,
      expelled: forget,
      closed() {
        forget();
        cancelHelloLimit();
        frameLimit.frameEnded();
        for (const run of endings) run();
      },
      isGreeted: () => hello !== null,
      held: () => decoder.held() + channel.unread(),
    };
  };
}

/** Watches over the frame that is coming in: the time runs from its first byte, however slowly the others drip. */
function createFrameLimit(timers: Timers, tooLate: () => void) {
  let cancel: (() => void) | null = null;
  return {
    see(isUnfinished: boolean) {
      if (isUnfinished && !cancel) cancel = timers.after(FRAME_LIMIT_MS, tooLate);
    },
    frameEnded() {
      cancel?.();
      cancel = null;
    },
  };
}

type Schema<T> = {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: Parameters<typeof firstIssue>[0] };
};

function parse<T>(schema: Schema<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw badFrame(`The frame is malformed: ${firstIssue(parsed.error)}.`, "Update the older side.");
}

function badFrame(message: string, hint: string): MeshError {
  return new MeshError("bad_frame", message, hint);
}

function tooSlow(message: string): MeshError {
  return new MeshError("timeout", message, "Connect again.");
}

export function tooMuch(what: string, hint: string): MeshError {
  return new MeshError("busy", `A client has at most ${what}.`, hint);
}
