// A replica ends with what is there: after a long absence, on a log that was restored, as a newcomer.
import { copyFileSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { EVERYONE } from "#protocol/ids.ts";
import { createMesh, invite, type Member, refusedWith } from "#test/mesh.ts";
import { findingsOf } from "./audit.ts";

const DAY_MS = 86_400_000;
const LIMIT_MS = 10_000;

function put(member: Member, name: string, changes: { tombstone?: boolean; own?: boolean } = {}) {
  const order = {
    cell: { name },
    own: false,
    ttlMs: null,
    tombstone: false,
    expect: "any" as const,
    ...changes,
  };
  return member.opened().workspace.putAndWait(EVERYONE, order, { kind: "probe", at: 1 }, LIMIT_MS);
}

function version(member: Member, name: string): number | null {
  const { replica, keyring } = member.opened().workspace;
  const row = replica.db
    .sql("SELECT version FROM records WHERE key = ?")
    .get(keyring.cellKey(EVERYONE, name) ?? "");
  return row ? Number(row.version) : null;
}

async function texts(member: Member): Promise<string[]> {
  return (await member.inbox()).map(({ text }) => text);
}

function findings(member: Member): string[] {
  const { replica, me } = member.opened().workspace;
  return findingsOf(replica, me, []).map(({ type, count }) => `${count} ${type}`);
}

const says = async (member: Member, ...words: readonly string[]) => {
  for (const text of words) await member.send("*", text);
  await member.until(() => member.opened().workspace.replica.outboxSize() === 0, "its words to be placed");
};

async function pair() {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  const bob = await mesh.person("bob");
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

/** Keeps the database aside as it is now; the answer puts it back. */
async function backup(mesh: Awaited<ReturnType<typeof createMesh>>): Promise<() => Promise<void>> {
  await mesh.restartBroker((path) => copyFileSync(path, `${path}.backup`));
  return () =>
    mesh.restartBroker((path) => {
      for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
      copyFileSync(`${path}.backup`, path);
    });
}

test("a newcomer gets the history that is left and each value once", async () => {
  const { mesh, alice } = await pair();
  await says(alice, "one", "two");
  for (let i = 0; i < 3; i++) await put(alice, "a");
  const carol = await mesh.person("carol");
  await invite(alice, carol);
  await carol.until(() => version(carol, "a") === 3, "the value");
  expect(await texts(carol)).toEqual(["one", "two"]);
  expect(findings(carol)).toEqual([]);
});

test("away for longer than the log keeps: values as they are now, deleted ones gone, and what was missed is named", async () => {
  const { mesh, alice, bob } = await pair();
  await says(alice, "before");
  await put(alice, "kept");
  await put(alice, "deleted");
  await bob.until(async () => version(bob, "deleted") === 1 && (await texts(bob)).length === 1, "all of it");
  await bob.stop();
  await says(alice, "missed", "missed too");
  await put(alice, "kept");
  await put(alice, "deleted", { tombstone: true });
  mesh.advance(200 * DAY_MS);
  await mesh.broker().retention.run();
  const again = await mesh.person("bob");
  await says(alice, "after");
  await again.until(async () => (await texts(again)).includes("after"), "what came after");
  await again.until(() => version(again, "deleted") === null, "the deleted value to go");
  expect(version(again, "kept")).toBe(2);
  expect(await texts(again)).toEqual(["before", "after"]);
  expect(findings(again)).toEqual(["2 expired"]);
});

test("a log restored from a backup is made whole by those who remember", async () => {
  const { mesh, alice, bob } = await pair();
  await says(alice, "one");
  const restore = await backup(mesh);
  await says(alice, "two");
  await says(bob, "three");
  await put(alice, "a");
  const carol = await mesh.person("carol");
  await invite(alice, carol);
  await says(carol, "four");
  for (const member of [alice, bob]) {
    await member.until(async () => (await texts(member)).includes("four"), "all of it");
  }

  await restore();
  await says(alice, "five");
  const dave = await mesh.person("dave");
  await invite(alice, dave);
  for (const member of [alice, bob, carol, dave]) {
    const whole = () => version(member, "a") !== null && member.opened().workspace.replica.outboxSize() === 0;
    await member.until(whole, `${member.name}'s replica to be whole`);
  }
  const all = ["one", "two", "three", "four", "five"];
  await dave.until(async () => (await texts(dave)).length === all.length, "everything at the newcomer");
  expect((await texts(dave)).toSorted()).toEqual(all.toSorted());
  expect((await texts(carol)).toSorted()).toEqual(["one", "two", "three", "five"].toSorted());
  await says(carol, "still here");
  await bob.until(async () => (await texts(bob)).includes("still here"), "carol's word at bob");
  const restored = ["1 restored"];
  expect([alice, bob, carol, dave].map(findings)).toEqual([restored, restored, restored, []]);
});

test("a device whose database was lost goes on with its numbers where it was", async () => {
  const { mesh, alice, bob } = await pair();
  await says(bob, "one", "two");
  await alice.until(async () => (await texts(alice)).length === 2, "both at alice");
  await bob.stop();
  const { id } = bob.opened().workspace;
  mesh.loseDatabase("bob", id);
  const again = await mesh.person("bob");
  // As soon as it can, and maybe before all that it has said is back.
  await again.until(async () => (await refusedWith(again.send("*", "three"))) === "nothing", "the chain");
  await says(again, "four");
  await alice.until(async () => (await texts(alice)).length === 4, "all of it at alice");
  expect(await texts(alice)).toEqual(["one", "two", "three", "four"]);
  expect(findings(alice)).toEqual([]);
});

test("a restored log that has gone on beyond the cursor is seen as another", async () => {
  const { mesh, alice, bob } = await pair();
  const restore = await backup(mesh);
  await says(bob, "bob's, lost by the broker");
  await alice.until(async () => (await texts(alice)).length === 1, "it at alice");
  await bob.stop();
  await restore();
  await says(alice, "one", "two", "three", "four");
  const again = await mesh.person("bob");
  await again.until(async () => (await texts(again)).length === 4, "alice's words at bob");
  await again.until(() => again.opened().workspace.replica.outboxSize() === 0, "bob's word to be placed");
  const carol = await mesh.person("carol");
  await invite(alice, carol);
  await carol.until(async () => (await texts(carol)).length === 5, "all of it at a newcomer");
  expect(findings(carol)).toEqual([]);
});
