import { expect, test } from "vitest";
import { createWorld, eventually, type Person } from "./world.ts";

const COUNT = 200;

async function texts(person: Person): Promise<string[]> {
  return (await person.ok("inbox", "--workspace", "acme")).messages.map(({ text }: { text: string }) => text);
}

/** Says all of them through one connection, in order. */
async function sayMany(person: Person, to: string, words: readonly string[]): Promise<void> {
  const { daemon, close } = await person.client();
  for (const text of words) await daemon.message.send({ to, text, workspace: "acme" });
  close();
}

const numbered = (name: string, count = COUNT) => Array.from({ length: count }, (_, i) => `${name} ${i}`);

async function team() {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  const bob = await world.person("bob", broker);
  await world.team(alice, bob);
  return { broker, alice, bob };
}

test("what is said to somebody who is away waits, and is there when they are back", async () => {
  const { alice, bob } = await team();
  await bob.ok("down");
  await sayMany(alice, "bob", numbered("a", 50));
  await bob.ok("up");
  await eventually(async () => (await texts(bob)).length >= 50, "the messages");
  expect(await texts(bob)).toEqual(numbered("a", 50));
});

test("a sender killed with a full outbox, the broker away, loses nothing", async () => {
  const { broker, alice, bob } = await team();
  await broker.kill9();
  await sayMany(alice, "bob", numbered("a"));
  await alice.kill9();
  await broker.restart();
  await alice.ok("up");
  await eventually(async () => (await texts(bob)).length >= COUNT, "the messages");
  expect(await texts(bob)).toEqual(numbered("a"));
});

test("a receiver killed in the middle of the stream gets the rest once, in order", async () => {
  const { alice, bob } = await team();
  const saying = sayMany(alice, "bob", numbered("a"));
  await eventually(async () => (await texts(bob)).length > 0, "the first message");
  await bob.kill9();
  await saying;
  await eventually(async () => (await texts(bob)).length >= COUNT, "the messages");
  expect(await texts(bob)).toEqual(numbered("a"));
});

test("a broker killed twice while both sides talk: nothing lost, nothing twice, each sender's order kept", async () => {
  const { broker, alice, bob } = await team();
  const both = Promise.all([sayMany(alice, "bob", numbered("a")), sayMany(bob, "alice", numbered("b"))]);
  await eventually(async () => (await texts(bob)).length > 0, "the first message");
  await broker.kill9();
  await broker.restart();
  await eventually(async () => (await texts(alice)).length > 0, "the stream to go on");
  await broker.kill9();
  await both;
  await broker.restart();
  await eventually(
    async () => (await texts(bob)).length >= COUNT && (await texts(alice)).length >= COUNT,
    "all",
    60_000,
  );
  expect(await texts(bob)).toEqual(numbered("a"));
  expect(await texts(alice)).toEqual(numbered("b"));
}, 90_000);
