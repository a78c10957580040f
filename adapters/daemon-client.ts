/** A client of the daemon's socket: hello and the first request leave in one write. */
import { connect, type Socket } from "node:net";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { Approval } from "#protocol/features/approval.ts";
import type { Client } from "#protocol/registry.ts";
import {
  createSocketDecoder,
  encodeSocketFrame,
  type SocketHello,
  type SocketWelcome,
} from "#protocol/socket.ts";

const LIMIT_BYTES = 64 * 1024 * 1024;

export type DaemonClient = {
  /** Typed by the protocol: `daemon.message.send({…})`. */
  daemon: Client;
  /** What the daemon said of itself. */
  welcome: Promise<SocketWelcome>;
  /** Called for each request that waits for the person's yes. */
  onHeld(listener: (approval: Approval) => void): void;
  /** Resolves when the connection has ended, from either side. */
  closed: Promise<void>;
  close(): void;
};

type Pending = {
  resolve(result: unknown): void;
  reject(error: MeshError): void;
  onEvent(event: unknown): void;
};

/** @throws MeshError daemon_unreachable when nothing listens there */
export function connectDaemon(path: string, hello: SocketHello): Promise<DaemonClient> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const refused = (error: Error) => reject(unreachable(error));
    socket.once("error", refused);
    socket.once("connect", () => {
      socket.off("error", refused);
      resolve(clientOn(socket, hello));
    });
  });
}

function clientOn(socket: Socket, hello: SocketHello): DaemonClient {
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let failure: MeshError | null = null;
  let held = (_: Approval) => {};
  let welcomed = (_: SocketWelcome) => {};
  let unwelcome = (_: MeshError) => {};
  const welcome = new Promise<SocketWelcome>((resolve, reject) => {
    welcomed = resolve;
    unwelcome = reject;
  });
  // Few wait for it; to the others its absence is told by their requests.
  welcome.catch(() => {});

  const decoder = createSocketDecoder(LIMIT_BYTES, ({ type, data }) => {
    if (type === "error" && isShape(data)) failure = fromErrorShape(data);
    if (type === "welcome" && isWelcome(data)) welcomed(data);
    if (typeof data !== "object" || data === null || !("id" in data) || typeof data.id !== "number") return;
    const request = pending.get(data.id);
    if (type === "event" && "event" in data) request?.onEvent(data.event);
    else if (type === "held" && "approval" in data && isApproval(data.approval)) held(data.approval);
    else if (type === "response" && "error" in data && isShape(data.error))
      request?.reject(fromErrorShape(data.error));
    else if (type === "response" && "result" in data) request?.resolve(data.result);
  });

  const closed = new Promise<void>((resolve) => {
    socket.on("error", () => {});
    socket.on("close", () => {
      const why =
        failure ??
        new MeshError(
          "daemon_unreachable",
          "The daemon ended before it answered.",
          "Try again; see `claudemesh logs`.",
        );
      unwelcome(why);
      for (const request of pending.values()) request.reject(why);
      resolve();
    });
  });
  socket.on("data", (chunk) => {
    try {
      decoder.take(chunk);
    } catch {
      socket.destroy();
    }
  });
  // Corked until the first request is written: both leave together.
  socket.cork();
  socket.write(encodeSocketFrame({ type: "hello", data: hello }));
  process.nextTick(() => socket.uncork());

  const request = (method: string, params: unknown, onEvent: (event: unknown) => void = () => {}) =>
    new Promise<unknown>((resolve, reject) => {
      if (socket.destroyed) {
        reject(unreachable(new Error("the connection has ended")));
        return;
      }
      const id = nextId++;
      pending.set(id, { resolve, reject, onEvent });
      socket.write(encodeSocketFrame({ type: "request", data: { id, method, params } }));
    });

  return {
    daemon: methodsOf(request),
    welcome,
    onHeld(listener) {
      held = listener;
    },
    closed,
    close: () => socket.destroy(),
  };
}

/** Names come from the property path, so a method's name is never typed as a string. */
function methodsOf(
  request: (method: string, params: unknown, onEvent?: (event: unknown) => void) => Promise<unknown>,
): Client {
  const noun = (name: string) =>
    new Proxy(
      {},
      {
        get: (_, verb) => (params: unknown, onEvent?: (event: unknown) => void) =>
          request(`${name}.${String(verb)}`, params, onEvent),
      },
    );
  // The proxy answers any path; the type allows only those that the protocol has.
  return new Proxy({}, { get: (_, name) => noun(String(name)) }) as Client;
}

function isWelcome(value: unknown): value is SocketWelcome {
  return (
    typeof value === "object" && value !== null && "version" in value && typeof value.version === "string"
  );
}

/** By what tells it from anything else: the daemon has checked the rest. */
function isApproval(value: unknown): value is Approval {
  return typeof value === "object" && value !== null && "verb" in value && "until" in value;
}

function isShape(value: unknown): value is { code: string; message: string; hint: string } {
  return typeof value === "object" && value !== null && "code" in value && "message" in value;
}

function unreachable(error: Error): MeshError {
  return new MeshError(
    "daemon_unreachable",
    `The daemon isn't running (${error.message}).`,
    process.env.CLAUDEMESH_SOCKET
      ? "CLAUDEMESH_SOCKET leads to no daemon. In a container, mount the socket again: each start of the daemon makes a new one."
      : "Start it: claudemesh up",
  );
}
