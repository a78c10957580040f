// Whatever hostile ends do to a broker, it costs them their own connections and nobody else anything.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqliteStore } from "#broker/adapters/sqlite-store.ts";
import { fillLog, foundWorkspace } from "#test/crowd.ts";
import { ATTACKS, readNothing, SILENT_ATTACKS, type Target } from "./attacks.ts";
import { listenAt, numbered, sayMany } from "./stream.ts";
import { type Broker, createPair } from "./world.ts";

const MESSAGES = 10;
/** An idle broker has about 100; what is allowed to pile up is a few MiB a connection. */
const MOST_MIB = 300;
const BACKLOG = { count: 300, bytes: 100_000 };

/** The broker's memory; 0 where the system doesn't tell. */
function residentMib(broker: Broker): number {
  const path = `/proc/${broker.pid()}/status`;
  const kib = existsSync(path) ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(path, "utf8"))?.[1] : undefined;
  return Number(kib ?? 0) / 1024;
}

async function attacked() {
  const { broker, alice, bob } = await createPair();
  const [atAlice, atBob] = [await listenAt(alice), await listenAt(bob)];
  const store = openSqliteStore(join(broker.data, "broker.db"));
  const { devices, head } = await foundWorkspace(store, "hostile", 8);
  const [first] = devices;
  if (first) await fillLog(store, first, head, BACKLOG);
  await store.close();
  const target: Target = { url: broker.url, port: broker.port, devices };
  let said = 0;
  let most = 0;

  /** Both say something; resolves when both have heard it, and all before it. */
  const talk = async () => {
    said++;
    await Promise.all([
      sayMany(alice, "bob", numbered(`to bob, ${said}`, MESSAGES)),
      sayMany(bob, "alice", numbered(`to alice, ${said}`, MESSAGES)),
    ]);
    await Promise.all([atBob.count(said * MESSAGES), atAlice.count(said * MESSAGES)]);
    most = Math.max(most, residentMib(broker));
  };
  return { broker, target, talk, heard: { atAlice, atBob }, said: () => said, most: () => most };
}

test("attacks of every kind cost their own connections; two who talk meanwhile hear each other", async () => {
  const { broker, target, talk, heard, said, most } = await attacked();
  const { pid } = broker;
  const before = pid();
  const silent = Object.values(SILENT_ATTACKS).map((attack) => attack(target));
  const stopReading = await readNothing(target);
  for (const [name, attack] of Object.entries(ATTACKS)) {
    const attacking = attack(target).catch((error) => {
      throw new Error(`${name}: ${error}`);
    });
    await Promise.all([attacking, talk()]);
    await talk();
  }
  await Promise.all(silent);
  await talk();
  stopReading();

  const all = (to: string) =>
    Array.from({ length: said() }, (_, i) => numbered(`to ${to}, ${i + 1}`, MESSAGES)).flat();
  expect(heard.atBob.heard).toEqual(all("bob"));
  expect(heard.atAlice.heard).toEqual(all("alice"));
  expect(most()).toBeLessThan(MOST_MIB);
  expect(pid()).toBe(before);
  expect((await fetch(`${broker.url}/health`)).status).toBe(200);
}, 120_000);
