import { describe, expect, test } from "vitest";
import { systemRandom } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import { nodeStretch } from "#adapters/stretch.ts";
import { encodeFrame, type FromBroker, newNonce } from "#protocol/frames.ts";
import type { Socket } from "#protocol/ports.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { loadAccount, openAccountDatabase } from "../account/account.ts";
import type { PeerPorts } from "../ports.ts";
import { createLink } from "./link.ts";

const HEARTBEAT_MS = 15_000;
const AN_ID = "A".repeat(22);
const BUSY: FromBroker = { type: "error", code: "busy", message: "", hint: "", retry: true };

/** One dialled connection, seen from the broker's end. */
type Far = { heard: { type: string; request?: number }[]; isClosed: boolean; say(frame: FromBroker): void };

/** A link under virtual time, and a broker that does what the test says. */
async function linkAt() {
  const time = createVirtualTime();
  const dials: Far[] = [];
  const changes = new Set<() => void>();
  let behaves: "greets" | "silent" | "refuses" | "hangs" = "greets";
  let release = () => {};

  const connection = (greets: boolean): Socket => {
    let message = (_: string) => {};
    const far: Far = { heard: [], isClosed: false, say: (frame) => message(encodeFrame(frame)) };
    dials.push(far);
    return {
      send(data) {
        far.heard.push(JSON.parse(String(data)));
        if (!greets || far.heard.at(-1)?.type !== "hello") return;
        far.say({
          type: "hello_ack",
          standing: "member",
          logId: AN_ID,
          head: 0,
          floor: 0,
          resume: "start",
          chain: null,
          heartbeatMs: HEARTBEAT_MS,
        });
      },
      sendAll() {},
      close() {
        far.isClosed = true;
      },
      buffered: () => 0,
      drained: async () => {},
      pause() {},
      resume() {},
      listen(handlers) {
        message = handlers.message;
        if (greets) far.say({ type: "challenge", protocol: 1, nonce: newNonce(systemRandom) });
      },
    };
  };

  const secrets = new Map<string, Uint8Array>();
  const ports: PeerPorts = {
    clock: time.clock,
    timers: time.timers,
    random: (length) => new Uint8Array(length).fill(255), // the longest delays
    curves: nodeCurves,
    stretch: nodeStretch,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    network: {
      onChange(run) {
        changes.add(run);
        return () => changes.delete(run);
      },
    },
    async dial() {
      if (behaves === "refuses") throw new Error("refused");
      const greets = behaves === "greets";
      if (behaves === "hangs") {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      return connection(greets);
    },
    fetchJson: async () => ({ status: 404, body: null }),
    keychain: {
      get: (name) => secrets.get(name) ?? null,
      set: (name, secret) => void secrets.set(name, secret),
      remove: (name) => void secrets.delete(name),
    },
    openDatabase: (_, migrations) => openSqlite(":memory:", migrations),
    removeDatabase() {},
  };
  const account = await loadAccount(ports, openAccountDatabase(ports), "alice");
  if (!account) throw new Error("a new device has an account");
  const states: string[] = [];
  const link = createLink(ports, account, AN_ID, "http://broker.test", {
    greeting: () => ({ logId: null, cursor: 0, last: null, labels: [], invite: null, isNew: false }),
    greeted() {},
    pushed() {},
    heard() {},
    outdone() {},
    refused() {},
    changed: (state) => void states.push(state),
  });
  link.start();
  await time.pass(0);
  return {
    ...time,
    link,
    dials,
    states,
    broker(does: typeof behaves) {
      behaves = does;
    },
    release: () => release(),
    changeNetwork() {
      for (const run of changes) run();
    },
    listeners: () => changes.size,
  };
}

describe("a machine that has slept", () => {
  test("dials at once, though the connection looks alive", async () => {
    const { link, dials, sleep, pass, states } = await linkAt();
    expect([link.state(), dials.length]).toEqual(["online", 1]);
    sleep(3_600_000);
    await pass(5000);
    expect(dials.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(link.state()).toBe("online");
    expect(states).toEqual(["connecting", "online", "offline", "connecting", "online"]);
  });

  test("waits out no delay from before", async () => {
    const { link, dials, broker, sleep, pass } = await linkAt();
    broker("refuses");
    dials[0]?.say(BUSY);
    await pass(120_000); // by now it waits 30 s from one try to the next
    expect(link.state()).toBe("offline");
    broker("greets");
    await pass(16_000);
    const before = dials.length;
    sleep(60_000);
    await pass(5000);
    expect(dials.length).toBe(before + 1);
    expect(link.state()).toBe("online");
  });
});

describe("another network", () => {
  test("a link that is down is dialled at once", async () => {
    const { link, dials, broker, changeNetwork, pass } = await linkAt();
    broker("refuses");
    dials[0]?.say(BUSY);
    await pass(120_000);
    broker("greets");
    changeNetwork();
    await pass(0);
    expect(link.state()).toBe("online");
    expect(link.trouble()).toBe(null);
  });

  test("a dial that hangs is given up for a new one; should it succeed after all, it is closed", async () => {
    const { link, dials, broker, release, changeNetwork, pass } = await linkAt();
    broker("hangs");
    dials[0]?.say(BUSY);
    await pass(1000);
    expect([link.state(), dials.length]).toEqual(["connecting", 1]);
    broker("greets");
    changeNetwork();
    await pass(0);
    expect([link.state(), dials.length]).toEqual(["online", 2]);
    release();
    await pass(0);
    expect(dials.map(({ isClosed }) => isClosed)).toEqual([true, false, true]);
    expect(link.state()).toBe("online");
  });

  test("a link that is up is asked for a sign of life, and stays if it gives one", async () => {
    const { link, dials, changeNetwork, pass } = await linkAt();
    changeNetwork();
    await pass(100);
    const probe = dials[0]?.heard.at(-1);
    expect(probe?.type).toBe("subscribe");
    dials[0]?.say({ type: "subscribed", request: probe?.request ?? 0, head: 0, floor: 0 });
    await pass(20_000);
    expect([link.state(), dials.length]).toEqual(["online", 1]);
  });

  test("a link that gives none is dialled anew within seconds, not heartbeats", async () => {
    const { link, dials, changeNetwork, pass } = await linkAt();
    changeNetwork();
    await pass(10_000);
    expect(dials.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(link.state()).toBe("online");
  });
});

test("a broker that takes the connection and says nothing is left after ten seconds, and named", async () => {
  const { link, dials, broker, pass } = await linkAt();
  broker("silent");
  dials[0]?.say(BUSY);
  await pass(5000);
  expect([link.state(), dials.length]).toEqual(["connecting", 2]);
  await pass(10_000);
  expect(dials[1]?.isClosed).toBe(true);
  expect(link.trouble()).toMatchObject({ code: "offline", message: "The broker fell silent." });
});

test("a link that was stopped watches nothing and dials no more", async () => {
  const { link, dials, sleep, changeNetwork, listeners, pass } = await linkAt();
  link.stop();
  expect(listeners()).toBe(0);
  sleep(3_600_000);
  changeNetwork();
  await pass(120_000);
  expect([link.state(), dials.length]).toEqual(["offline", 1]);
});
