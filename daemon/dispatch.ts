/** One client of the socket: hello first, then requests; each is checked for scope and shape before it is answered. */
import { fromSystem } from "#adapters/system-error.ts";
import { type ErrorShape, errorShape, MeshError } from "#protocol/errors.ts";
import { firstIssue } from "#protocol/json.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { MethodSchema, Scope } from "#protocol/method.ts";
import { didYouMean } from "#protocol/nearest.ts";
import { isNewer } from "#protocol/newer.ts";
import type { Log } from "#protocol/ports.ts";
import { type Handlers, methods } from "#protocol/registry.ts";
import {
  type ApprovalMode,
  createSocketDecoder,
  encodeSocketFrame,
  type SocketFrame,
  type SocketRequest,
} from "#protocol/socket.ts";
import type { Caller } from "#sdk/peer.ts";
import { socketHello, socketRequest } from "./socket-schema.ts";

/** The daemon's end of a connection. */
export type Channel = { send(text: string): void; end(): void };
export type Serve = (channel: Channel) => { data(chunk: Uint8Array): void; closed(): void };

export type Dispatcher = {
  handlers: Handlers<Caller>;
  version: string;
  pid: number;
  log: Log;
  /** The attached session of that id, if there is one. */
  session(id: string): Caller["session"];
  /** What no client of this socket goes beyond; nothing is held back without it. */
  most?: readonly Scope[];
  /** Called after whatever may have changed something. */
  changed(): void;
  /** True once the databases are being closed: nothing is begun any more. */
  isStopping(): boolean;
};

/** What a kind of client may ask for. An adapter runs beside a model: nothing that changes who belongs. */
const SCOPES: Record<string, readonly Scope[]> = {
  adapter: ["read", "write"],
  cli: ["read", "write", "admin"],
  daemon: ["read", "write", "admin"],
  other: ["read", "write", "admin"],
};

/** What each approval mode leaves of that. */
const MODES: Record<ApprovalMode, readonly Scope[]> = {
  plan: ["read"],
  "read-only": ["read"],
  write: ["read", "write"],
  yolo: ["read", "write", "admin"],
};

type Client = {
  version: string;
  scopes: readonly Scope[];
  mode: ApprovalMode;
  sessionId: string | undefined;
};

type Handler = (params: unknown, caller: Caller, emit: (event: unknown) => void) => unknown;

const TABLE: ReadonlyMap<string, MethodSchema> = new Map(
  Object.entries(methods).flatMap(([noun, verbs]) =>
    Object.entries<MethodSchema>(verbs).map(([verb, schema]) => [`${noun}.${verb}`, schema]),
  ),
);

export function createDispatch(dispatcher: Dispatcher): Serve {
  const { handlers, version, pid, log, session, most, changed, isStopping } = dispatcher;
  const handlerOf = (method: string): Handler => {
    const [noun = "", verb = ""] = method.split(".");
    // The table above knows only what Handlers must have, so the path is there.
    return Reflect.get(Reflect.get(handlers, noun), verb) as Handler;
  };

  return (channel) => {
    const endings = new Set<() => void>();
    let client: Client | null = null;
    let closed = false;

    const send = (frame: SocketFrame) => {
      if (!closed) channel.send(encodeSocketFrame(frame));
    };

    const answer = async (client: Client, { id, method, params }: SocketRequest) => {
      let writes = false;
      try {
        if (isStopping()) {
          throw new MeshError("daemon_unreachable", "The daemon is stopping.", "Try again in a moment.");
        }
        const schema = TABLE.get(method);
        if (!schema) throw unknownMethod(method, client.version, version);
        if (!client.scopes.includes(schema.scope)) {
          throw new MeshError(
            "not_allowed",
            `"${method}" is not for this kind of client.`,
            "Run it in a terminal.",
          );
        }
        if (most?.includes(schema.scope) === false) {
          throw new MeshError(
            "not_allowed",
            `"${method}" goes beyond what this socket is for.`,
            "Ask at the daemon's own socket, outside of here.",
          );
        }
        if (!MODES[client.mode].includes(schema.scope)) {
          throw new MeshError(
            "refused",
            `"${method}" goes beyond --approval-mode ${client.mode}.`,
            "Run it in a wider mode.",
          );
        }
        const parsed = schema.params.safeParse(params ?? {});
        if (!parsed.success)
          throw new MeshError(
            "usage",
            `Wrong parameters: ${firstIssue(parsed.error)}.`,
            skewBetween(client.version, version) ?? "See `claudemesh help`.",
          );
        const caller: Caller = {
          session: client.sessionId ? session(client.sessionId) : null,
          ended: (run) => (closed ? run() : endings.add(run)),
        };
        const emit = (event: unknown) => send({ type: "event", data: { id, event } });
        writes = schema.scope !== "read";
        send({ type: "response", data: { id, result: await handlerOf(method)(parsed.data, caller, emit) } });
      } catch (error) {
        send({ type: "response", data: { id, error: shapeOf(error, log, method) } });
      } finally {
        if (writes) changed();
      }
    };

    const onFrame = ({ type, data }: { type: string; data: unknown }) => {
      if (type === "hello") {
        const hello = parse(socketHello, data);
        const { mode = "yolo", session: sessionId } = hello;
        client = { version: hello.version, scopes: SCOPES[hello.client] ?? [], mode, sessionId };
        send({ type: "welcome", data: { version, pid } });
      } else if (type === "request") {
        const request = parse(socketRequest, data);
        if (!client)
          throw new MeshError(
            "bad_frame",
            "The first frame is a hello.",
            'Send {"type":"hello","data":{"client","version"}}.',
          );
        answer(client, request);
      } else {
        throw new MeshError("bad_frame", `There is no frame "${type}".`, "Send hello, then requests.");
      }
    };

    const decode = createSocketDecoder(LIMITS.socketFrame, onFrame);
    return {
      data(chunk) {
        try {
          decode(chunk);
        } catch (error) {
          // What isn't our protocol ends the connection, and only that.
          send({ type: "error", data: shapeOf(error, log, "frame") });
          channel.end();
        }
      },
      closed() {
        closed = true;
        for (const run of endings) run();
      },
    };
  };
}

/** Two releases at work: what one of them doesn't know is no slip of the person's. */
function skewBetween(client: string, daemon: string): string | null {
  if (isNewer(client, daemon)) return "Replace the daemon: claudemesh down, then claudemesh up.";
  return isNewer(daemon, client) ? "Update what asked: the daemon is newer." : null;
}

function unknownMethod(method: string, client: string, daemon: string): MeshError {
  const skew = skewBetween(client, daemon);
  return skew
    ? new MeshError(
        "version_skew",
        `This daemon (${daemon}) has no "${method}", as a client of ${client} expects.`,
        skew,
      )
    : new MeshError(
        "unknown_method",
        `There is no method "${method}".`,
        didYouMean(method, TABLE.keys(), "Update the older side."),
      );
}

function parse<T>(
  schema: {
    safeParse(
      value: unknown,
    ): { success: true; data: T } | { success: false; error: Parameters<typeof firstIssue>[0] };
  },
  data: unknown,
): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new MeshError(
    "bad_frame",
    `The frame is malformed: ${firstIssue(parsed.error)}.`,
    "Update the older side.",
  );
}

function shapeOf(error: unknown, log: Log, about: string): ErrorShape {
  const named = fromSystem(error, "a database");
  if (!named || named !== error)
    log.error({ about, error: error instanceof Error ? error.stack : String(error) }, "a request failed");
  return errorShape(named ?? error);
}
