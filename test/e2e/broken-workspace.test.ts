import { closeSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { processesOf } from "./ending.ts";
import type { Person } from "./person.ts";
import { silentBroker } from "./silent-broker.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

type Listed = { id: string; slug: string; link: string; trouble: string | null };

const statusOf = async (person: Person): Promise<Listed[]> => (await person.ok("status")).workspaces;

/** Its database as a failing disk leaves it. */
function damage(person: Person, id: string): string {
  const file = join(person.home, "workspaces", `${id}.db`);
  for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
  writeFileSync(file, "not a database any more ".repeat(500));
  return file;
}

test("of ten workspaces two are broken: the others work, and it is said which are and why", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const silent = await silentBroker();
  const alice = await world.person("alice", broker);
  const bob = await world.person("bob", broker);
  const good = Array.from({ length: 7 }, (_, i) => `good-${i}`);
  for (const name of [...good, "damaged"]) await alice.ok("workspace", "create", name);
  const { url } = await alice.ok("invite", "create", "--workspace", "good-6");
  await bob.ok("join", url);
  await alice.ok("down");
  await alice.ok("up", "--broker", silent.url);
  await alice.ok("workspace", "create", "silent");
  await eventually(async () => (await statusOf(alice)).length === 10, "ten workspaces");
  const { id } = (await statusOf(alice)).find(({ slug }) => slug === "damaged") as Listed;
  await alice.ok("down");
  const file = damage(alice, id);

  await alice.ok("up", "--broker", broker.url);
  for (const name of good) {
    await alice.ok("send", "me", `in ${name}`, "--workspace", name, "--wait", "stored");
  }
  await alice.ok("send", "bob", "hello", "--workspace", "good-6", "--wait", "delivered");
  await alice.ok("send", "me", "later", "--workspace", "silent");
  expect(silent.connections()).toBeGreaterThan(0);

  const status = await statusOf(alice);
  const bySlug = new Map(status.map((one) => [one.slug, one]));
  expect(status).toHaveLength(10);
  for (const name of ["personal", ...good])
    expect(bySlug.get(name)).toMatchObject({ link: "online", trouble: null });
  expect(bySlug.get("silent")?.link).not.toBe("online");
  expect(bySlug.get("damaged")).toMatchObject({ link: "offline", trouble: expect.stringContaining(file) });
  expect((await alice.run(["status"])).stdout).toMatch(/damaged .* is damaged/);
  expect(await alice.fails(9, ["workspace", "info", "damaged"])).toMatchObject({
    code: "bad_data",
    message: expect.stringContaining("can't be used"),
  });
  expect(await alice.fails(9, ["send", "me", "x", "--workspace", "damaged"])).toMatchObject({
    code: "bad_data",
  });
  // Its name and its place are kept.
  expect(await alice.fails(6, ["workspace", "create", "damaged"])).toMatchObject({ code: "conflict" });
  await eventually(
    async () => (await alice.ok("workspace", "info", "silent")).note?.includes("silent"),
    "why the silent one isn't online",
  );

  // Moved away, it comes back from the broker.
  await alice.ok("down");
  rmSync(file);
  await alice.ok("up");
  await eventually(
    async () => (await statusOf(alice)).some(({ slug, link }) => slug === "damaged" && link === "online"),
    "the workspace from the broker",
  );
  await alice.ok("send", "me", "again", "--workspace", "damaged", "--wait", "stored");
});

test("a database that turns out to be damaged only while it is read is set aside, and the rest of the daemon goes on", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", "alice", "--no-broker"]);
  for (const name of ["sound", "hurt"]) await alice.ok("workspace", "create", name);
  const { daemon, close } = await alice.client();
  for (let i = 0; i < 300; i++) {
    await daemon.message.send({ to: "me", text: `${i} ${"x".repeat(1000)}`, workspace: "hurt" });
  }
  await daemon.message.send({ to: "me", text: "sound", workspace: "sound" });
  close();
  const { id } = (await statusOf(alice)).find(({ slug }) => slug === "hurt") as Listed;
  await alice.ok("down");
  const file = join(alice.home, "workspaces", `${id}.db`);
  const { size } = statSync(file);
  const handle = openSync(file, "r+");
  writeSync(handle, Buffer.alloc(size / 2, "damage"), 0, size / 2, size / 2);
  closeSync(handle);

  await alice.ok("up");
  await alice.run(["inbox"]);
  await eventually(
    async () => (await statusOf(alice)).find(({ slug }) => slug === "hurt")?.trouble?.includes("damaged"),
    "the damage to be named",
  );
  expect((await alice.ok("inbox")).messages.map(({ text }: { text: string }) => text)).toEqual(["sound"]);
  await alice.ok("send", "me", "goes on", "--workspace", "sound");
});

test("a daemon with nothing but a damaged workspace starts and says so", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", "alice", "--no-broker"]);
  const [personal] = await statusOf(alice);
  await alice.ok("down");
  damage(alice, personal?.id ?? "");
  await alice.ok("up");
  expect(await statusOf(alice)).toMatchObject([
    { slug: "personal", trouble: expect.stringContaining("damaged") },
  ]);
});

test.each([
  ["and nothing is in its place", false],
  ["and another stands in its place", true],
])("a daemon whose folder has vanished stops, %s", async (_, another) => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", "alice"]);
  const before = processesOf(alice.home);
  expect(before.length).toBeGreaterThanOrEqual(2); // the daemon and its broker
  rmSync(alice.home, { recursive: true });
  const fresh = another ? (await alice.ok("up", "--no-broker")).daemon.pid : null;
  await eventually(
    async () => !processesOf(alice.home).some((pid) => before.includes(pid)),
    "the end of the daemon and its broker",
  );
  if (another) expect(await alice.daemonPid()).toBe(fresh);
});
