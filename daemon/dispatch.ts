/** One request of a client of the socket, checked for scope, shape and consent before it is answered. */
import { fromSystem } from "#adapters/system-error.ts";
import { type ErrorShape, errorShape, MeshError } from "#protocol/errors.ts";
import type { Approval } from "#protocol/features/approval.ts";
import { firstIssue } from "#protocol/json.ts";
import { FREE, type MethodSchema, SCOPES, type Scope } from "#protocol/method.ts";
import { didYouMean } from "#protocol/nearest.ts";
import { isNewer } from "#protocol/newer.ts";
import type { Log } from "#protocol/ports.ts";
import { type Handlers, methods } from "#protocol/registry.ts";
import type { ApprovalMode, SocketHello, SocketRequest, SocketResponse } from "#protocol/socket.ts";
import type { Caller } from "#sdk/peer.ts";
import { type Consent, isInside } from "./consent.ts";

export type Dispatcher = {
  handlers: Handlers<Caller>;
  version: string;
  log: Log;
  /** The attached session of that id, if there is one. */
  session(id: string): Caller["session"];
  /** What isn't free for sessions passes by it. */
  consent: Consent;
  /** What no client of this socket goes beyond; nothing is held back without it. */
  most?: readonly Scope[];
  /** Called after whatever may have changed something; the answer waits for it. */
  changed(): Promise<void>;
  /** True once the databases are being closed: nothing is begun any more. */
  isStopping(): boolean;
};

/** What the request's connection does for it. */
export type Wire = {
  emit(event: unknown): void;
  /** The request waits for the person's yes. */
  held(approval: Approval): void;
  /** Runs when the connection ends. */
  ended(run: () => void): void;
  /** Called before a stream is opened; the answer gives its place back. @throws MeshError busy */
  openStream(): () => void;
};

export type Answer = (hello: SocketHello, request: SocketRequest, wire: Wire) => Promise<SocketResponse>;

/** What each approval mode lets through to be judged; none makes it more. */
const MODES: Record<ApprovalMode, readonly Scope[]> = {
  plan: ["read"],
  "read-only": ["read"],
  write: FREE,
  yolo: SCOPES,
};

type Handler = (params: unknown, caller: Caller, emit: (event: unknown) => void) => unknown;

const TABLE: ReadonlyMap<string, MethodSchema> = new Map(
  Object.entries(methods).flatMap(([noun, verbs]) =>
    Object.entries<MethodSchema>(verbs).map(([verb, schema]) => [`${noun}.${verb}`, schema]),
  ),
);

/** Whether requests of that method are begun together: what they write in one turn shares a commit. */
export function sharesTurn(method: string): boolean {
  return TABLE.get(method)?.scope === "write";
}

export function createDispatch(dispatcher: Dispatcher): Answer {
  const { handlers, version, log, session, consent, most, changed, isStopping } = dispatcher;
  const handlerOf = (method: string): Handler => {
    const [noun = "", verb = ""] = method.split(".");
    // The table above knows only what Handlers must have, so the path is there.
    return Reflect.get(Reflect.get(handlers, noun), verb) as Handler;
  };

  /** @throws MeshError not_allowed, refused */
  const requireScope = (hello: SocketHello, method: string, { scope, byPerson }: MethodSchema) => {
    const { mode = "yolo" } = hello;
    if (byPerson && isInside(hello)) {
      throw new MeshError(
        "refused",
        `"${method}" is for the person alone, outside of a session.`,
        "Ask them to run it in a terminal of their own.",
      );
    }
    if (most?.includes(scope) === false) {
      throw new MeshError(
        "not_allowed",
        `"${method}" goes beyond what this socket is for.`,
        "Ask at the daemon's own socket, outside of here.",
      );
    }
    if (!MODES[mode].includes(scope)) {
      throw new MeshError(
        "refused",
        `"${method}" goes beyond --approval-mode ${mode}.`,
        "Run it in a wider mode.",
      );
    }
  };

  /** @throws MeshError not_allowed, refused, and writes it down where that isn't free */
  const requireAllowed = (hello: SocketHello, method: string, schema: MethodSchema) => {
    try {
      requireScope(hello, method, schema);
    } catch (error) {
      if (error instanceof MeshError) consent.refused({ hello, method, schema }, error);
      throw error;
    }
  };

  /** @throws MeshError daemon_unreachable */
  const requireRunning = () => {
    if (!isStopping()) return;
    throw new MeshError("daemon_unreachable", "The daemon is stopping.", "Try again in a moment.");
  };

  return async function answer(hello, { id, method, params }, wire) {
    let writes = false;
    let closeStream = () => {};
    try {
      requireRunning();
      const schema = TABLE.get(method);
      if (!schema) throw unknownMethod(method, hello.version, version);
      requireAllowed(hello, method, schema);
      const parsed = schema.params.safeParse(params ?? {});
      if (!parsed.success)
        throw new MeshError(
          "usage",
          `Wrong parameters: ${firstIssue(parsed.error)}.`,
          skewBetween(hello.version, version) ?? "See `claudemesh help`.",
        );
      const caller = { session: hello.session ? session(hello.session) : null, ended: wire.ended };
      const asked = { hello, method, schema, params: parsed.data, caller };
      const mayGoOn = FREE.includes(schema.scope) ? parsed.data : await consent.ask(asked, wire.held);
      // It may have waited for long.
      requireRunning();
      if (schema.event) closeStream = wire.openStream();
      writes = schema.scope !== "read";
      return { id, result: await handlerOf(method)(mayGoOn, caller, wire.emit) };
    } catch (error) {
      closeStream();
      return { id, error: shapeOf(error, log, method) };
    } finally {
      if (writes) await changed();
    }
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

export function shapeOf(error: unknown, log: Log, about: string): ErrorShape {
  const named = fromSystem(error, "a database");
  if (!named || named !== error)
    log.error({ about, error: error instanceof Error ? error.stack : String(error) }, "a request failed");
  return errorShape(named ?? error);
}
