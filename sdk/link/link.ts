/**
 * One WebSocket to one workspace at its broker, kept up: dial, challenge, hello, then frames. Comes back with full
 * jitter between 0.2 and 30 s, at once when there is something to send, when the machine has slept or changed networks,
 * and gives up a link that fell silent.
 */
import { toBase64url } from "#protocol/bytes.ts";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { LinkState } from "#protocol/features/workspace.ts";
import {
  brokerOrigin,
  decodeFromBroker,
  decodeRecordFrame,
  type ErrorFrame,
  encodeFrame,
  encodeRecordFrame,
  type Faces,
  type FromBroker,
  type FromDevice,
  type Hello,
  type HelloAck,
  helloInput,
} from "#protocol/frames.ts";
import type { Socket } from "#protocol/ports.ts";
import { PROTOCOL_VERSION } from "#protocol/version.ts";
import type { Account } from "../account/account.ts";
import { deviceFields } from "../membership/chain.ts";
import type { PeerPorts } from "../ports.ts";
import { type Answer, createRequests, type Item } from "./requests.ts";
import { watchForSleep } from "./watchdog.ts";

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 30_000;
const GREETING_LIMIT_MS = 10_000;
/** A link that missed two heartbeats and a half is dead, whatever the kernel believes. */
const SILENT_HEARTBEATS = 2.5;
/** After a change of networks a living link answers within this time. */
const PROBE_LIMIT_MS = 5000;

export type Push = { seq: number; at: number; through: number; record: Uint8Array; size: number };

/** What the workspace says of itself in a hello, and what it wants to hear. */
export type LinkOwner = {
  greeting(): Pick<Hello, "logId" | "cursor" | "last" | "labels"> & {
    invite: { code: string; seed: Uint8Array } | null;
    /** Whether the device isn't in the workspace, as far as is known here: it shows its certificate then. */
    isNew: boolean;
  };
  greeted(ack: HelloAck): void;
  pushed(push: Push): void;
  heard(
    frame: Extract<FromBroker, { type: "ack" | "heartbeat" | "faces" | "signal" | "gone" | "requested" }>,
  ): void;
  /** A put of one's own is refused: this record holds its cell. */
  outdone(conflict: { id: string; seq: number; at: number; live: boolean; record: Uint8Array }): void;
  refused(frame: ErrorFrame & { id: string }): void;
  changed(state: LinkState, why: MeshError | null): void;
};

export type Link = {
  state(): LinkState;
  /** What ended the last attempt or connection; null while online. */
  trouble(): MeshError | null;
  start(): void;
  /** Tries at once, or as soon as is decent, instead of waiting out the delay. */
  wake(): void;
  /** Ends this connection and makes a new one, say as a member after joining. */
  renew(): void;
  /** Ends this connection and comes back after a while: something failed on this side. */
  fail(why: MeshError): void;
  stop(): void;
  sendRecords(records: readonly Uint8Array[]): void;
  send(frame: FromDevice): void;
  /** A history page: items come to `onItem`. @throws MeshError offline, … */
  read(
    label: string,
    before: number,
    limit: number,
    onItem: (item: Item) => void,
  ): Promise<{ more: boolean }>;
  /** @throws MeshError offline, not_allowed */
  subscribe(labels: readonly string[]): Promise<{ head: number; floor: number }>;
  /** Who is there, as it changed after a version; a page. @throws MeshError offline */
  pull(after: number): Promise<Faces>;
  /** Whom the broker doesn't push to me from here on. @throws MeshError offline */
  block(members: readonly string[]): Promise<void>;
  /** Any question that one frame asks and one answers. @throws MeshError offline, or what the broker answers */
  ask<T extends Answer["type"]>(
    type: T,
    frame: (request: number) => FromDevice,
  ): Promise<Extract<Answer, { type: T }>>;
};

export function createLink(
  ports: PeerPorts,
  account: Account,
  workspace: string,
  broker: string,
  owner: LinkOwner,
): Link {
  const origin = brokerOrigin(broker);
  let state: LinkState = "offline";
  let socket: Socket | null = null;
  let stopped = true;
  /** The attempt under way, if there is one; an older one that still succeeds is closed. */
  let dialling: object | null = null;
  let trouble: MeshError | null = null;
  let failures = 0;
  let cancelRetry = () => {};
  let cancelSilence = () => {};
  let stopWatching = () => {};
  let silenceMs = GREETING_LIMIT_MS;
  let serverDelayMs = 0;
  let lastTry = Number.NEGATIVE_INFINITY;
  /** The broker asked not to be bothered before this time. */
  let notBefore = 0;
  const requests = createRequests();

  const become = (next: LinkState, why: MeshError | null = null) => {
    state = next;
    if (next === "online") trouble = null;
    else if (why) trouble = why;
    owner.changed(next, why);
  };

  const connect = async () => {
    cancelRetry();
    if (stopped || socket || dialling) return;
    const attempt = {};
    dialling = attempt;
    lastTry = ports.clock.now();
    become("connecting");
    try {
      const dialled = await ports.dial(`${origin.replace(/^http/, "ws")}/`);
      if (stopped || dialling !== attempt) return dialled.close(1000, "not needed");
      socket = dialled;
      silenceMs = GREETING_LIMIT_MS;
      dialled.listen({
        message: (data) => receive(dialled, data),
        close: () => down(dialled, null),
      });
      listenForSilence();
    } catch (error) {
      if (dialling !== attempt) return;
      retryLater(
        error instanceof MeshError
          ? error
          : new MeshError("offline", `The broker can't be reached: ${String(error)}`),
      );
    } finally {
      if (dialling === attempt) dialling = null;
    }
  };

  /** Lets go of the connection; the answer is whether it was the one in use. */
  const drop = (which: Socket): boolean => {
    if (socket !== which) return false;
    socket = null;
    cancelSilence();
    requests.broke();
    which.close(1000, "bye");
    return true;
  };

  const down = (which: Socket, why: MeshError | null) => {
    if (!drop(which)) return;
    if (stopped) become("offline", why);
    else retryLater(why);
  };

  const retryLater = (why: MeshError | null) => {
    if (stopped) return;
    become("offline", why);
    const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures++);
    const [a = 0, b = 0] = ports.random(2);
    const jittered = FIRST_DELAY_MS + ((a * 256 + b) / 65_536) * (ceiling - FIRST_DELAY_MS);
    notBefore = ports.clock.now() + serverDelayMs;
    cancelRetry = ports.timers.after(Math.max(jittered, serverDelayMs), connect);
    serverDelayMs = 0;
  };

  const listenForSilence = (limitMs = silenceMs) => {
    cancelSilence();
    const which = socket;
    cancelSilence = ports.timers.after(limitMs, () => {
      if (which) down(which, new MeshError("offline", "The broker fell silent.", "It is tried again."));
    });
  };

  const greet = async (which: Socket, nonce: string, protocol: number) => {
    if (protocol !== PROTOCOL_VERSION) {
      throw new MeshError(
        "version_skew",
        `The broker speaks protocol ${protocol}, this claudemesh ${PROTOCOL_VERSION}.`,
        "Update the older side.",
      );
    }
    const { invite, isNew, ...greeting } = owner.greeting();
    const claims = {
      protocol: PROTOCOL_VERSION,
      origin,
      workspace,
      member: account.user,
      key: toBase64url(account.device.key),
      logId: greeting.logId,
      cursor: greeting.cursor,
      last: greeting.last,
      labels: greeting.labels,
    };
    const input = helloInput(nonce, claims);
    const signature = toBase64url(await ports.curves.sign(account.device.secret, input));
    const proof = invite && {
      code: invite.code,
      signature: toBase64url(await ports.curves.sign(invite.seed, input)),
    };
    const { key: _, ...certificate } = deviceFields(account);
    which.send(
      encodeFrame({
        type: "hello",
        ...claims,
        signature,
        ...(proof ? { invite: proof } : {}),
        ...(isNew ? { certificate } : {}),
      }),
    );
  };

  const receive = (which: Socket, data: string | Uint8Array) => {
    if (which !== socket) return;
    listenForSilence();
    try {
      if (typeof data === "string") onFrame(which, decodeFromBroker(data));
      else onRecord(data);
    } catch (error) {
      ports.log.warn({ workspace, error: String(error) }, "the broker sent what can't be understood");
      down(
        which,
        error instanceof MeshError
          ? error
          : new MeshError("bad_frame", "The broker sent what can't be understood."),
      );
    }
  };

  const onRecord = (data: Uint8Array) => {
    const { outer, record } = decodeRecordFrame(data);
    if (outer.type === "push") owner.pushed({ ...outer, record, size: data.length });
    else if (outer.type === "item") requests.item(outer.request, { seq: outer.seq, at: outer.at, record });
    else if (outer.type === "current") owner.outdone({ ...outer, record });
  };

  const onFrame = (which: Socket, frame: FromBroker) => {
    switch (frame.type) {
      case "challenge":
        greet(which, frame.nonce, frame.protocol).catch((error) =>
          down(which, error instanceof MeshError ? error : null),
        );
        return;
      case "hello_ack":
        failures = 0;
        silenceMs = frame.heartbeatMs * SILENT_HEARTBEATS;
        owner.greeted(frame);
        return which === socket ? become("online") : undefined;
      case "subscribed":
      case "page":
      case "mailed":
      case "answered":
      case "blocked":
        return requests.answered(frame);
      case "error":
        return onError(which, frame);
      case "faces":
      case "requested":
        return frame.request === undefined ? owner.heard(frame) : requests.answered(frame);
      default:
        return owner.heard(frame);
    }
  };

  const onError = (which: Socket, frame: ErrorFrame) => {
    const error = fromErrorShape(frame);
    if (frame.request !== undefined) {
      requests.refused(frame.request, error);
    } else if (frame.id !== undefined) {
      owner.refused({ ...frame, id: frame.id });
    } else {
      serverDelayMs = frame.retryAfterMs ?? 0;
      down(which, error);
    }
  };

  /** @throws MeshError offline, or what the broker answers */
  const request = async <T extends Answer["type"]>(
    type: T,
    frame: (request: number) => FromDevice,
    onItem?: (item: Item) => void,
  ) => {
    const which = socket;
    if (!which || state !== "online") {
      throw new MeshError(
        "offline",
        "The broker can't be reached at the moment.",
        "It is tried again; see `claudemesh status`.",
      );
    }
    return requests.ask(type, (id) => which.send(encodeFrame(frame(id))), onItem);
  };

  const subscribe = (labels: readonly string[]) =>
    request("subscribed", (id) => ({ type: "subscribe", request: id, labels: [...labels] }));

  const wake = () => {
    if (stopped || socket || dialling) return;
    // The delays begin anew, and no flood of wakings makes a flood of dials.
    failures = 0;
    cancelRetry();
    const now = ports.clock.now();
    const wait = Math.max(lastTry + FIRST_DELAY_MS, notBefore) - now;
    if (wait > 0) cancelRetry = ports.timers.after(wait, connect);
    else connect();
  };

  /** What was dialled before may lead nowhere, and the kernel would take minutes to say so. */
  const dialAnew = () => {
    if (stopped) return;
    dialling = null;
    if (socket) {
      drop(socket);
      become(
        "offline",
        new MeshError("offline", "The machine has slept, or is on another network.", "It is tried again."),
      );
    }
    lastTry = Number.NEGATIVE_INFINITY;
    wake();
  };

  const networkChanged = () => {
    if (state !== "online") return dialAnew();
    // Most changes leave it alive, say another container's network: any answer will do to know.
    listenForSilence(PROBE_LIMIT_MS);
    subscribe([account.user]).catch(() => {});
  };

  const watch = () => {
    const stopSleep = watchForSleep(ports.clock, ports.timers, dialAnew);
    const stopNetwork = ports.network?.onChange(networkChanged);
    return () => {
      stopSleep();
      stopNetwork?.();
    };
  };

  return {
    state: () => state,
    trouble: () => trouble,
    start() {
      stopped = false;
      stopWatching();
      stopWatching = watch();
      connect();
    },
    wake,
    renew() {
      failures = 0;
      if (socket) drop(socket);
      connect();
    },
    fail(why) {
      if (socket) down(socket, why);
    },
    stop() {
      stopped = true;
      stopWatching();
      cancelRetry();
      if (socket) down(socket, null);
    },
    sendRecords(records) {
      socket?.sendAll(records.map((record) => encodeRecordFrame({ type: "send" }, record)));
    },
    send: (frame) => socket?.send(encodeFrame(frame)),
    async read(label, before, limit, onItem) {
      const { more } = await request(
        "page",
        (id) => ({ type: "read", request: id, label, before, limit }),
        onItem,
      );
      return { more };
    },
    subscribe,
    ask: request,
    async block(members) {
      await request("blocked", (id) => ({ type: "block", request: id, members: [...members] }));
    },
    pull: (after) => request("faces", (id) => ({ type: "pull", request: id, after })),
  };
}
