/**
 * Daemons and a broker in one process, made by `createDaemon` and `createBroker`, under a clock that only a test moves
 * and chance that a seed decides. Frames take their time, links break, daemons and the broker die and come back.
 */

import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeCurves } from "#adapters/curves.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import { nodeStretch } from "#adapters/stretch.ts";
import { openSqliteStores } from "#broker/adapters/sqlite-stores.ts";
import { type Broker, createBroker } from "#broker/broker.ts";
import { createBus } from "#broker/bus.ts";
import { DEFAULT_RETENTION, DEFAULT_TIMES } from "#broker/ports.ts";
import { claudeFiles } from "#daemon/adapters/claude-files.ts";
import { createDaemon, type Daemon } from "#daemon/daemon.ts";
import type { DaemonPorts } from "#daemon/ports.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Database, Log, Socket, Timers } from "#protocol/ports.ts";
import { createVirtualTime, settle } from "../virtual-time.ts";
import { type Client, clientOf } from "./client.ts";

export const ORIGIN = "http://model.test";
const LONGEST_DELAY_MS = 40;

export type Person = {
  name: string;
  /** Frames from the broker that don't reach this person. */
  misses: (frame: Frame) => boolean;
  client(): Client;
  /** Ends every connection to the broker; they come back by themselves. */
  cut(): void;
  /** Dies without a word, and begins again on what is on its disk. */
  restart(): Promise<void>;
};

export type World = Awaited<ReturnType<typeof createWorld>>;

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export async function createWorld(seed: number) {
  const folder = mkdtempSync(join(tmpdir(), "model-"));
  const brokerFile = join(folder, "broker.db");
  const chance = chanceOf(seed);
  const time = createVirtualTime();
  const world = {
    clock: time.clock,
    random: bytesOf(chance),
    curves: nodeCurves,
    stretch: nodeStretch,
    log: silent,
  };
  const lives: { end(): void }[] = [];
  const people = new Map<string, Person>();

  const startBroker = (): { broker: Broker; end(): Promise<void> } => {
    const { timers, end } = mortal(time.timers);
    const fatal = (error: unknown) => {
      throw error;
    };
    const stores = openSqliteStores(brokerFile);
    const broker = createBroker(
      { ...world, timers, ...stores, bus: createBus(), fatal },
      { ...DEFAULT_TIMES, origins: new Set([ORIGIN]), retention: DEFAULT_RETENTION },
    );
    return {
      broker,
      async end() {
        await broker.stop();
        end();
      },
    };
  };
  let running = startBroker();

  const startDaemon = async (name: string, secrets: Map<string, Uint8Array>) => {
    const { timers, end } = mortal(time.timers);
    const links = new Set<() => void>();
    const databases: Database[] = [];
    const cut = () => {
      for (const close of links) close();
      links.clear();
    };
    const ports: DaemonPorts = {
      ...world,
      claude: claudeFiles,
      policy: { path: "", read: () => null, create() {}, replace() {}, onChange: () => () => {} },
      timers,
      async dial() {
        const delay = () => chance() * LONGEST_DELAY_MS;
        const { near, far, close } = wire(
          time.timers,
          delay,
          (frame) => people.get(name)?.misses(frame) ?? false,
        );
        links.add(close);
        running.broker.gateway.accept(far);
        return near;
      },
      async fetchJson(url) {
        const response = await running.broker.http.fetch(new Request(url));
        return { status: response.status, body: await response.json() };
      },
      keychain: {
        get: (item) => secrets.get(item) ?? null,
        set: (item, secret) => void secrets.set(item, secret),
        remove: (item) => void secrets.delete(item),
      },
      decisions: { append: () => true, newest: () => [] },
      openDatabase(database, migrations) {
        const opened = openSqlite(join(folder, `${name}-${database}.db`), migrations);
        databases.push(opened);
        return opened;
      },
      removeDatabase() {},
      pid: 1,
      version: "0.0.0",
      home: folder,
      socketPath: "",
      workspaceSocket: (slug) => slug,
      listen: async () => ({ close() {}, end() {} }),
      startedAt: time.clock.now(),
      requestStop() {},
    };
    const daemon: Daemon = await createDaemon(ports, {
      name,
      host: name,
      brokers: { given: ORIGIN, embedded: null },
    });
    daemon.start();
    const life = {
      client: clientOf(daemon.serve),
      cut,
      end() {
        end();
        cut();
        // What was under way finds its database closed, as if the process had gone.
        for (const database of databases) database.close();
      },
    };
    lives.push(life);
    return life;
  };

  return {
    chance,
    time,
    brokerFile,
    async person(name: string): Promise<Person> {
      const secrets = new Map<string, Uint8Array>();
      let life = await startDaemon(name, secrets);
      const made: Person = {
        name,
        misses: () => false,
        client: () => life.client,
        cut: () => life.cut(),
        async restart() {
          life.end();
          lives.splice(lives.indexOf(life), 1);
          life = await startDaemon(name, secrets);
        },
      };
      people.set(name, made);
      return made;
    },
    async restartBroker(): Promise<void> {
      await running.end();
      running = startBroker();
    },
    /** Keeps the broker's database aside as it is now. */
    async backUpBroker(): Promise<void> {
      await running.end();
      copyFileSync(brokerFile, `${brokerFile}.backup`);
      running = startBroker();
    },
    /** Puts back what was kept aside, if anything was: the broker has lost what came since. */
    async restoreBroker(): Promise<void> {
      if (!existsSync(`${brokerFile}.backup`)) return;
      await running.end();
      for (const suffix of ["-wal", "-shm"]) rmSync(brokerFile + suffix, { force: true });
      copyFileSync(`${brokerFile}.backup`, brokerFile);
      running = startBroker();
    },
    /** Lets virtual time run until `check` holds. @throws when `limitMs` of it have passed */
    async until(check: () => Promise<boolean>, what: string, limitMs = 600_000): Promise<void> {
      const end = time.clock.now() + limitMs;
      while (!(await answered(time, check()))) {
        if (time.clock.now() > end) throw new Error(`seed ${seed}: waited ${limitMs} virtual ms for ${what}`);
        await time.pass(100);
      }
    },
    /** An answer that may need time to pass. */
    ask: <T>(asked: Promise<T>): Promise<T> => answered(time, asked),
    async end(): Promise<void> {
      for (const life of lives) life.end();
      await running.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answered<T>(time: ReturnType<typeof createVirtualTime>, asked: Promise<T>): Promise<T> {
  let isDone = false;
  const done = asked.finally(() => {
    isDone = true;
  });
  // Said here, so that a rejection while time passes has somebody who hears it.
  done.catch(() => {});
  for (let i = 0; !isDone; i++) {
    await settle();
    if (!isDone && i > 3) await time.pass(10);
    if (i > 100_000) throw new Error("no answer, however much time passes");
  }
  return done;
}

/** Timers of something that can die: none of them runs after that. */
function mortal(timers: Timers): { timers: Timers; end(): void } {
  let isAlive = true;
  const ifAlive = (run: () => void) => () => {
    if (isAlive) run();
  };
  return {
    timers: {
      after: (ms, run) => timers.after(ms, ifAlive(run)),
      soon: (run) => timers.soon(ifAlive(run)),
    },
    end() {
      isAlive = false;
    },
  };
}

export type Frame = string | Uint8Array;

/** Two ends; frames arrive in their order, each after a while. What is under way when the wire breaks is lost. */
function wire(
  timers: Timers,
  delay: () => number,
  isMissed: (frame: Frame) => boolean,
): { near: Socket; far: Socket; close(): void } {
  type Handlers = Parameters<Socket["listen"]>[0];
  type End = { handlers: Handlers | null; early: Frame[] };
  const ends: [End, End] = [
    { handlers: null, early: [] },
    { handlers: null, early: [] },
  ];
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    for (const { handlers } of ends) timers.soon(() => handlers?.close());
  };
  const end = (own: 0 | 1): Socket => {
    const other = ends[own === 0 ? 1 : 0];
    const waiting: Frame[] = [];
    const send = (data: Frame) => {
      waiting.push(typeof data === "string" ? data : Uint8Array.from(data));
      timers.after(delay(), () => {
        // Whichever timer comes first delivers the frame that was sent first.
        const frame = waiting.shift();
        if (!isOpen || frame === undefined || (own === 1 && isMissed(frame))) return;
        if (other.handlers) other.handlers.message(frame);
        else other.early.push(frame);
      });
    };
    return {
      send,
      sendAll: (frames) => frames.forEach(send),
      close,
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
  return { near: end(0), far: end(1), close };
}

/** mulberry32: numbers from 0 to 1, the same for the same seed. */
function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function bytesOf(chance: () => number): (length: number) => Uint8Array {
  return (length) => Uint8Array.from({ length }, () => Math.floor(chance() * 256));
}

/** Whether a promise was refused with one of these. */
export function isRefusal(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof MeshError && codes.includes(error.code);
}
