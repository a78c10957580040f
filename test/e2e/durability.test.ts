import { expect, test } from "vitest";
import { inboxOf, listenAt, numbered, sayMany } from "./stream.ts";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

const COUNT = 300;
const SAID = numbered("a", COUNT);

test("what is said to somebody who is away waits, and is there when they are back", async () => {
  const { alice, bob } = await createPair();
  await bob.ok("down");
  await sayMany(alice, "bob", SAID);
  const last = await alice.ok("send", "bob", "last", "--wait", "stored");
  await bob.ok("up");
  await eventually(async () => (await inboxOf(bob)).length > COUNT, "the messages");
  expect(await inboxOf(bob)).toEqual([...SAID, "last"]);
  await eventually(
    async () => JSON.stringify(await alice.ok("message", "status", last.id)).includes('"delivered"'),
    "its receipt",
  );
});

test("a sender killed with a full outbox, the broker away, loses nothing", async () => {
  const { broker, alice, bob } = await createPair();
  const { heard, count } = await listenAt(bob);
  await broker.kill9();
  await sayMany(alice, "bob", SAID);
  await alice.kill9();
  await broker.restart();
  await alice.ok("up");
  await count(COUNT);
  expect(heard).toEqual(SAID);
  expect(await inboxOf(bob)).toEqual(SAID);
});

test("a sender killed while it speaks: all that it had taken arrives, in order, and at most the one in its mouth more", async () => {
  const { alice, bob } = await createPair();
  const { heard, count } = await listenAt(bob);
  let taken = 0;
  const { daemon } = await alice.client();
  const saying = (async () => {
    for (const text of SAID) {
      await daemon.message.send({ to: "bob", text, workspace: "acme" });
      taken++;
    }
  })().catch((error) => error);
  await count(20);
  await alice.kill9();
  expect(await saying).toMatchObject({ code: "daemon_unreachable" });
  expect(taken).toBeLessThan(COUNT);
  await alice.ok("up");
  await alice.ok("send", "bob", "the end", "--wait", "delivered");
  expect([taken, taken + 1]).toContain(heard.length - 1);
  expect(heard).toEqual([...SAID.slice(0, heard.length - 1), "the end"]);
});

test("a sender killed with many requests under way: what was answered arrives once, whatever shared its commit", async () => {
  const { alice, bob } = await createPair();
  const { heard } = await listenAt(bob);
  const answered: string[] = [];
  const { daemon } = await alice.client();
  const saying = SAID.map((text) =>
    daemon.message.send({ to: "bob", text, workspace: "acme" }).then(
      () => void answered.push(text),
      () => {},
    ),
  );
  await eventually(async () => answered.length > 0, "the first answers");
  await alice.kill9();
  await Promise.all(saying);
  await alice.ok("up");
  await alice.ok("send", "bob", "the end", "--wait", "delivered");
  expect(heard.filter((text) => answered.includes(text))).toEqual(answered);
  expect(new Set(heard).size).toBe(heard.length);
});

test("the same message asked for again, as a verb does that got no answer, is sent once", async () => {
  const { broker, alice, bob } = await createPair();
  await broker.kill9();
  const { id } = await alice.ok("send", "bob", "once");
  const again = async () => {
    const { daemon, close } = await alice.client();
    const sent = await daemon.message.send({ id, to: "bob", text: "once", workspace: "acme" });
    close();
    return sent;
  };
  expect(await again()).toMatchObject({ id, state: "queued" });
  await alice.kill9();
  expect(await again()).toMatchObject({ id, state: "queued" });
  await broker.restart();
  await alice.ok("send", "bob", "last", "--wait", "delivered");
  expect(await again()).toMatchObject({ id, state: "delivered" });
  await alice.ok("send", "bob", "very last", "--wait", "delivered");
  expect(await inboxOf(bob)).toEqual(["once", "last", "very last"]);
});

test("a receiver killed in the middle of the stream gets the rest once, in order", async () => {
  const { alice, bob } = await createPair();
  const { count } = await listenAt(bob);
  const killing = count(50).then(() => bob.kill9());
  await sayMany(alice, "bob", SAID);
  await killing;
  expect((await inboxOf(bob)).length).toBeGreaterThanOrEqual(50);
  await eventually(async () => (await inboxOf(bob)).length >= COUNT, "the messages");
  expect(await inboxOf(bob)).toEqual(SAID);
});
