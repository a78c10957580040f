import { join } from "node:path";
import { expect, test } from "vitest";
import { startAdapter } from "./adapter.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

const inSession = (session: string) => ({ env: { CLAUDE_CODE_SESSION_ID: session } });

async function texts(person: Person, session: string): Promise<string[]> {
  const { stdout } = await person.run(["inbox", "--json"], inSession(session));
  return JSON.parse(stdout).messages.map(({ text }: { text: string }) => text);
}

test("a session is reached by its address, speaks as itself, and is there again after the daemon was killed", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  const bob = await world.person("bob", broker);
  await world.team(alice, bob);
  const adapter = await startAdapter(alice, { session: "s-1", folder: join(world.folder, "payments") });

  const { instructions, capabilities } = adapter.initialized.result;
  expect(capabilities).toEqual({});
  expect(instructions.length / 4).toBeLessThan(150);

  await eventually(
    async () => JSON.stringify(await bob.ok("peers")).includes("alice/payments"),
    "the session at bob's",
  );
  await bob.ok("send", "alice/payments", "for the session", "--wait", "delivered");
  expect(await texts(alice, "s-1")).toEqual(["for the session"]);
  const reply = await alice.run(
    ["send", "bob", "from the session", "--wait", "delivered", "--json"],
    inSession("s-1"),
  );
  expect(reply.code).toBe(0);
  expect((await bob.ok("inbox")).messages.at(-1).from).toMatchObject({
    name: "alice",
    address: "alice/payments",
  });

  const before = await alice.daemonPid();
  await alice.kill9();
  await eventually(
    async () => JSON.stringify(await alice.ok("peers")).includes("alice/payments"),
    "the session again",
  );
  expect(await alice.daemonPid()).not.toBe(before);

  adapter.closeStdin();
  expect(await adapter.exited).toBe(0);
  await eventually(
    async () => !JSON.stringify(await alice.ok("peers")).includes("alice/payments"),
    "the session to go",
  );
  await bob.ok("send", "alice/payments", "waits for its next holder");
});

test("two sessions in one folder have two names, and write to each other without a broker", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", "alice", "--no-broker"]);
  const folder = join(world.folder, "shop");
  await startAdapter(alice, { session: "s-1", folder });
  await startAdapter(alice, { session: "s-2", folder });
  const sent = await alice.run(["send", "me/shop-2", "your turn", "--json"], inSession("s-1"));
  expect(JSON.parse(sent.stdout)).toMatchObject({ to: "me/shop-2", state: "queued" });
  expect(await texts(alice, "s-2")).toEqual(["your turn"]);
  expect(await texts(alice, "s-1")).toEqual([]);
});
