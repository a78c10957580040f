import { join } from "node:path";
import { expect, test } from "vitest";
import { VERSION } from "#adapters/version.ts";
import { startAdapter } from "./adapter.ts";
import { installVersion } from "./installation.ts";
import { personAt } from "./person.ts";
import { inboxOf, numbered, sayMany } from "./stream.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

const OLDER = "0.0.9";

test("a newer verb replaces an older daemon and goes on: what waited in the outbox arrives, and sessions are back", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const alice = world.newcomer("alice");
  const older = personAt(alice.home, world.folder, installVersion(world.folder, OLDER));
  const bob = await world.person("bob", broker);
  await older.ok("up", "--name", "alice", "--broker", broker.url, "--no-broker");
  await world.team(older, bob);
  await startAdapter(older, { session: "s-1", folder: join(world.folder, "payments") });

  await broker.kill9();
  const said = numbered("a", 50);
  await sayMany(older, "bob", said);
  const before = (await older.ok("status")).daemon;
  expect(before.version).toBe(OLDER);
  expect((await alice.ok("status", "--no-start")).daemon).toMatchObject({ version: OLDER, pid: before.pid });

  // Two at once: one daemon replaces the older one, and both verbs do what they were asked to, once.
  const [sent, status] = await Promise.all([alice.ok("send", "bob", "after"), alice.ok("status")]);
  expect(sent.state).toBe("queued");
  expect(status.daemon.version).toBe(VERSION);
  expect(status.daemon.pid).not.toBe(before.pid);
  const { outbox } = (await alice.ok("status")).workspaces.find(
    ({ slug }: { slug: string }) => slug === "acme",
  );
  expect(outbox).toBe(said.length + 1);

  await broker.restart();
  await alice.ok("send", "bob", "last", "--wait", "delivered");
  expect(await inboxOf(bob)).toEqual([...said, "after", "last"]);
  await eventually(
    async () => JSON.stringify(await alice.ok("peers")).includes('"s-1"'),
    "the session at the new daemon",
  );
});

test("an older verb works with a newer daemon, and leaves it running", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", "alice", "--no-broker"]);
  const older = personAt(alice.home, world.folder, installVersion(world.folder, OLDER));
  const before = (await alice.ok("status")).daemon;
  expect((await older.ok("up")).daemon).toMatchObject({ version: VERSION, pid: before.pid });
  await older.ok("send", "me", "from the past");
  expect((await alice.ok("inbox")).messages.map(({ text }: { text: string }) => text)).toEqual([
    "from the past",
  ]);
  expect(await alice.daemonPid()).toBe(before.pid);
});

test("doctor tells of an older daemon, up replaces it", async () => {
  const world = createWorld();
  const alice = world.newcomer("alice");
  const older = personAt(alice.home, world.folder, installVersion(world.folder, OLDER));
  const before = (await older.ok("up", "--name", "alice", "--no-broker")).daemon;
  const { stdout } = await alice.run(["doctor", "--json"]);
  const version = JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === "version");
  expect(version).toMatchObject({ ok: false, detail: expect.stringContaining(OLDER) });
  const after = (await alice.ok("up")).daemon;
  expect([before.version, after.version]).toEqual([OLDER, VERSION]);
  expect(after.pid).not.toBe(before.pid);
});
