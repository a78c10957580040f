/**
 * A whole mesh in one process: a real broker on real SQLite, real peers, and WebSockets made of two ends in memory that a
 * test can cut and tamper with.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import { nodeStretch } from "#adapters/stretch.ts";
import { openSqliteStores } from "#broker/adapters/sqlite-stores.ts";
import { createBroker } from "#broker/broker.ts";
import { createBus } from "#broker/bus.ts";
import type { BrokerLimits } from "#broker/limits.ts";
import { type BrokerPorts, DEFAULT_RETENTION } from "#broker/ports.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import type { ErrorCode } from "#protocol/errors.ts";
import type { Message } from "#protocol/features/message.ts";
import { encodeFrame, type Hello, helloInput } from "#protocol/frames.ts";
import type { Keychain, Log, Socket } from "#protocol/ports.ts";
import { PROTOCOL_VERSION } from "#protocol/version.ts";
import { certifyByRoot } from "#sdk/account/account.ts";
import { keepIdentity, readIdentity } from "#sdk/account/identity.ts";
import { type Caller, createPeer, type Opened, type Peer } from "#sdk/peer.ts";
import type { PeerPorts } from "#sdk/ports.ts";
import type { Answering } from "#sdk/presence/self.ts";
import { abilities, type PeerHandlers, peerHandlersOf } from "#sdk/registry.ts";

export const ORIGIN = "http://mesh.test";

export type Frame = string | Uint8Array;
export type HttpAnswer = { status: number; body: unknown };
/** What is answered; `ask` has it from the broker. */
export type OverHttp = (url: string, params: unknown, ask: () => Promise<HttpAnswer>) => Promise<HttpAnswer>;
/** What becomes of a frame on its way: itself, others, or nothing. */
export type Tamper = (frame: Frame) => readonly Frame[];

export type Member = {
  name: string;
  peer: Peer;
  handlers: PeerHandlers;
  /** Frames from and to this person's device pass through these. */
  toBroker: Tamper;
  toDevice: Tamper;
  /** What the broker is asked over HTTP passes through this. */
  overHttp: OverHttp;
  /** What other devices ask beyond what any peer answers. */
  answers: Answering;
  /** Cuts every connection; the device comes back by itself. */
  cut(): void;
  opened(): Opened;
  send(to: string, text: string): Promise<{ id: string }>;
  inbox(): Promise<Message[]>;
  /** Codes of the records that were refused, in order. */
  refusals(): string[];
  /** Resolves when `check` holds, looked at whenever something happens in the workspace. */
  until(check: () => boolean | Promise<boolean>, what: string): Promise<void>;
  stop(): Promise<void>;
};

export const CALLER: Caller = { session: null, ended() {} };
const LIMIT_MS = 10_000;

export type Mesh = Awaited<ReturnType<typeof createMesh>>;

/** Without `mail` the broker sends none. */
export async function createMesh(
  limits: Partial<BrokerLimits> = {},
  mailing: Pick<BrokerPorts, "mail"> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "mesh-"));
  const logged: string[] = [];
  let ahead = 0;
  const world = {
    clock: { now: () => systemClock.now() + ahead },
    timers: systemTimers,
    random: systemRandom,
    curves: nodeCurves,
    stretch: nodeStretch,
    log: logInto(logged),
  };
  const fatal = (error: unknown) => logged.push(`fatal ${String(error)}`);
  const path = join(folder, "broker.db");
  const startBroker = () =>
    createBroker(
      { ...world, ...openSqliteStores(path), bus: createBus(), fatal, ...mailing },
      {
        origins: new Set([ORIGIN]),
        heartbeatMs: 200,
        helloMs: 5000,
        leaseMs: 5000,
        presenceTickMs: 20,
        retention: DEFAULT_RETENTION,
        limits,
      },
    );
  let broker = startBroker();
  const members: Member[] = [];
  /** By name, so that a person who is started again is the same. */
  const keychains = new Map<string, Map<string, Uint8Array>>();

  onTestFinished(async () => {
    for (const member of members) await member.stop();
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const identityOf = (name: string) => {
    const identity = readIdentity(keychainOf(keychains.get(name) ?? new Map()));
    if (identity) return identity;
    throw new Error(`${name} isn't here`);
  };
  const rootOf = (name: string) => fromBase64url(identityOf(name).root ?? "");

  /** `device`: another installation of the same person's. */
  const person = async (name: string, device = name): Promise<Member> => {
    const secrets = keychains.get(device) ?? new Map<string, Uint8Array>();
    if (!keychains.has(device) && device !== name) {
      const identity = identityOf(name);
      const secret = systemRandom(32);
      const certified = await certifyByRoot(nodeCurves, rootOf(name), secret);
      keepIdentity(keychainOf(secrets), { ...identity, secret: toBase64url(secret), device: certified });
    }
    keychains.set(device, secrets);
    const cuts = new Set<() => void>();
    let stopped = false;
    const ports: PeerPorts = {
      ...world,
      async dial() {
        const { near, far, cut } = socketPair(
          (frame) => member.toBroker(frame),
          (frame) => member.toDevice(frame),
        );
        cuts.add(cut);
        broker.gateway.accept(far);
        return near;
      },
      async fetchJson(url, post) {
        const asked = post && { method: "POST", headers: post.headers, body: JSON.stringify(post.body) };
        const headers = { ...post?.headers, "content-type": "application/json" };
        const request = new Request(url, asked && { ...asked, headers });
        const ask = async () => {
          const response = await broker.http.fetch(request, { address: device });
          return { status: response.status, body: await response.json() };
        };
        return member.overHttp(url, post?.body, ask);
      },
      keychain: keychainOf(secrets),
      openDatabase: (database, migrations) =>
        openSqlite(join(folder, `${device}-${database}.db`), migrations),
      removeDatabase() {},
    };
    const answering: Answering = (...asked) => member.answers(...asked);
    const peer = await createPeer(ports, { name, host: "test", answering }, abilities);
    const handlers = peerHandlersOf(peer, { given: ORIGIN, embedded: null });
    const opened = () => {
      const [only] = peer.opened();
      if (!only) throw new Error(`${name} is in no workspace`);
      return only;
    };
    const member: Member = {
      name: device,
      peer,
      handlers,
      toBroker: (frame) => [frame],
      toDevice: (frame) => [frame],
      answers: () => undefined,
      overHttp: (_url, _params, ask) => ask(),
      cut() {
        for (const cut of cuts) cut();
        cuts.clear();
      },
      opened,
      send: async (to, text) => handlers.message.send({ to, text }, CALLER, () => {}),
      inbox: async () => (await handlers.message.inbox({}, CALLER, () => {})).messages,
      refusals: () =>
        opened()
          .workspace.replica.db.sql("SELECT code FROM refusals ORDER BY seq")
          .all()
          .map((row) => String(row.code)),
      async until(check, what) {
        const deadline = Date.now() + LIMIT_MS;
        while (!(await check())) {
          if (Date.now() > deadline)
            throw new Error(
              `${name} waited ${LIMIT_MS} ms for ${what}; log: ${logged.slice(-5).join(" | ")}`,
            );
          await new Promise<void>((resolve) => {
            const done = () => {
              stopListening();
              cancel();
              resolve();
            };
            // Chain and cursor move without an event of their own; the heartbeat's pace is enough to see that.
            const cancel = systemTimers.after(50, done);
            const stopListening = peer.listen(done);
          });
        }
      },
      async stop() {
        if (stopped) return;
        stopped = true;
        await peer.stop();
      },
    };
    members.push(member);
    peer.start();
    return member;
  };

  return {
    broker: () => broker,
    logged,
    /** The broker's database. */
    path,
    person,
    /** The root's signature, in base64url. */
    async signByRoot(name: string, input: Uint8Array): Promise<string> {
      return toBase64url(await nodeCurves.sign(rootOf(name), input));
    },
    /** Of somebody who has stopped. */
    loseDatabase(name: string, database: string) {
      for (const suffix of ["", "-wal", "-shm"]) {
        rmSync(join(folder, `${name}-${database}.db${suffix}`), { force: true });
      }
    },
    /** Everybody's clock goes on; timers don't notice. */
    advance(ms: number) {
      ahead += ms;
    },
    /** The broker ends; `meanwhile`, with the path of its database; another begins on what is there then. */
    async restartBroker(meanwhile: (path: string) => void = () => {}): Promise<void> {
      for (const member of members) member.cut();
      await broker.stop();
      meanwhile(path);
      broker = startBroker();
    },
    /** `owner` makes "acme"; the others join by one link each, one after the other. */
    async team(owner: Member, ...others: readonly Member[]): Promise<void> {
      await owner.handlers.workspace.create({ name: "acme" }, CALLER, () => {});
      for (const other of others) await invite(owner, other);
    },
  };
}

export async function invite(
  owner: Member,
  other: Member,
  role: "member" | "guest" | "admin" = "member",
): Promise<void> {
  const { url } = await owner.handlers.invite.create({ role }, CALLER, () => {});
  await other.handlers.invite.accept({ url }, CALLER, () => {});
  if (role !== "guest")
    await other.until(() => other.opened().workspace.keyring.workspaceKey(0) !== null, `${other.name}'s key`);
  const isKnown = async () =>
    (await owner.handlers.peer.list({}, CALLER, () => {})).peers.some(
      ({ member, name }) => member === other.peer.account.user && name.startsWith(other.peer.account.name),
    );
  await owner.until(isKnown, `${other.name}'s name`);
}

/** A bare connection to the broker: what it says, one frame after the other, and what one makes it hear. */
export function rawConnection(mesh: Mesh, address = "") {
  const { near, far } = socketPair(
    (frame) => [frame],
    (frame) => [frame],
  );
  const heard: Frame[] = [];
  const waiting: ((frame: Frame) => void)[] = [];
  const ended = Promise.withResolvers<void>();
  near.listen({
    message(frame) {
      const next = waiting.shift();
      if (next) next(frame);
      else heard.push(frame);
    },
    close: () => ended.resolve(),
  });
  mesh.broker().gateway.accept(far, address);
  const next = async (): Promise<Frame> => heard.shift() ?? new Promise((resolve) => waiting.push(resolve));
  return {
    send: near.send,
    close: () => near.close(1000, ""),
    /** Resolves when either side has ended it. */
    ended: ended.promise,
    /** The next control frame of that type. */
    async next(type: string): Promise<Record<string, unknown>> {
      for (;;) {
        const frame = await next();
        const parsed = typeof frame === "string" ? JSON.parse(frame) : {};
        if (parsed.type === type) return parsed;
      }
    },
  };
}

/** A hello as the member's device would sign it, with some claims changed before or after the signature. */
export async function signedHello(
  member: Member,
  nonce: string,
  { before = {}, after = {} }: { before?: Partial<Hello>; after?: Partial<Hello> } = {},
): Promise<string> {
  const { user, device } = member.peer.account;
  const claims = {
    protocol: PROTOCOL_VERSION,
    origin: ORIGIN,
    workspace: member.opened().workspace.id,
    member: user,
    key: toBase64url(device.key),
    logId: null,
    cursor: 0,
    last: null,
    labels: [user],
    ...before,
  };
  const signature = toBase64url(await nodeCurves.sign(device.secret, helloInput(nonce, claims)));
  return encodeFrame({ type: "hello", ...claims, signature, ...after });
}

function keychainOf(secrets: Map<string, Uint8Array>): Keychain {
  return {
    get: (item) => secrets.get(item) ?? null,
    set: (item, secret) => void secrets.set(item, secret),
    remove: (item) => void secrets.delete(item),
  };
}

/** Two ends; frames cross one after the other, each in a turn of its own. */
function socketPair(toFar: Tamper, toNear: Tamper): { near: Socket; far: Socket; cut(): void } {
  type End = { handlers: Parameters<Socket["listen"]>[0] | null; early: Frame[] };
  const ends: Record<"near" | "far", End> = {
    near: { handlers: null, early: [] },
    far: { handlers: null, early: [] },
  };
  let open = true;
  const cut = () => {
    if (!open) return;
    open = false;
    setImmediate(() => {
      ends.near.handlers?.close();
      ends.far.handlers?.close();
    });
  };
  const end = (own: "near" | "far", other: "near" | "far", tamper: Tamper): Socket => {
    const send = (data: Frame) => {
      for (const frame of open ? tamper(typeof data === "string" ? data : Uint8Array.from(data)) : []) {
        setImmediate(() => {
          if (!open) return;
          if (ends[other].handlers) ends[other].handlers.message(frame);
          else ends[other].early.push(frame);
        });
      }
    };
    return {
      send,
      sendAll: (frames) => frames.forEach(send),
      close: () => setImmediate(cut),
      buffered: () => 0,
      drained: async () => {},
      pause() {},
      resume() {},
      listen(handlers) {
        ends[own].handlers = handlers;
        for (const frame of ends[own].early.splice(0)) handlers.message(frame);
      },
    };
  };
  return { near: end("near", "far", toFar), far: end("far", "near", toNear), cut };
}

function logInto(lines: string[]): Log {
  const write = (fields: Record<string, unknown>, message: string) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  return { debug() {}, info() {}, warn: write, error: write };
}

/** The name of what a promise was refused with. */
export async function refusedWith(promise: Promise<unknown> | unknown): Promise<ErrorCode | string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
  return "nothing";
}
