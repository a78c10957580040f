import { expect, test } from "vitest";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

/** A topic that alice has made and spoken in, known at bob's, who hasn't joined. */
async function deploys() {
  const pair = await createPair();
  const { alice, bob } = pair;
  await alice.ok("topic", "create", "deploys");
  await alice.ok("topic", "send", "deploys", "1.3 is out", "--wait", "stored");
  await alice.ok("topic", "send", "#deploys", "hey @bob, 1.4 is out", "--wait", "stored");
  await eventually(async () => (await bob.ok("topic", "list")).topics.length === 1, "the topic at bob's");
  return pair;
}

test("joined late, with its history, what is unread, and who is mentioned", async () => {
  const { bob } = await deploys();
  expect((await bob.ok("topics")).topics[0]).toMatchObject({
    name: "deploys",
    joined: false,
    createdBy: "alice",
  });
  await bob.ok("topic", "join", "deploys");
  const { messages } = await bob.ok("topic", "history", "deploys");
  expect(messages).toMatchObject([
    { text: "1.3 is out", mentioned: false },
    { text: "hey @bob, 1.4 is out", mentioned: true },
  ]);
  const topic = async () => (await bob.ok("topic", "list")).topics[0];
  expect(await topic()).toMatchObject({ name: "deploys", joined: true, unread: 2, mentions: 1 });
  // A mention is addressed to bob; the rest of the topic isn't.
  expect((await bob.ok("inbox")).messages).toMatchObject([{ text: "hey @bob, 1.4 is out", to: "#deploys" }]);
  await bob.ok("topic", "history", "deploys", "--mark-read");
  expect(await topic()).toMatchObject({ unread: 0, mentions: 0 });
});

test("followed as it is said, by one who has joined", async () => {
  const { alice, bob } = await deploys();
  await bob.ok("topic", "join", "deploys");
  const tail = bob.stream("topic", "tail", "deploys", "--json");
  // What was said while the tail began may have been missed: say it again until one comes.
  await eventually(async () => {
    await alice.ok("send", "#deploys", "1.5 is out");
    return tail.seen.length > 0;
  }, "a line of JSON");
  expect(JSON.parse(tail.seen[0] ?? "")).toMatchObject({
    topic: "deploys",
    text: "1.5 is out",
    from: { name: "alice" },
  });
  const human = bob.stream("topic", "tail", "deploys");
  await eventually(async () => {
    await alice.ok("send", "#deploys", "1.6 is out");
    return human.seen.length > 0;
  }, "a line for people");
  expect(await human.line("alice → #deploys")).toContain("alice");
  expect(await human.line("1.6 is out")).toBe("    1.6 is out");
});

test("a tail ends with its daemon: code 3, it wasn't the end of the topic", async () => {
  const { alice, bob } = await deploys();
  const tail = bob.stream("topic", "tail", "deploys");
  await eventually(async () => {
    await alice.ok("send", "#deploys", "1.5 is out");
    return tail.seen.length > 0;
  }, "a line");
  await bob.ok("down");
  expect(await tail.exited).toBe(3);
});

test("left, it is quiet: nothing more arrives, and what was said since is there after joining again", async () => {
  const { alice, bob } = await deploys();
  await bob.ok("topic", "join", "deploys");
  await bob.ok("topic", "leave", "deploys");
  const topic = async () => (await bob.ok("topic", "list")).topics[0];
  expect(await topic()).toMatchObject({ joined: false });
  await alice.ok("send", "#deploys", "@bob, are you there?", "--wait", "stored");
  // What comes later on the same link has arrived, so the topic's message would have, too.
  await alice.ok("send", "bob", "you left", "--wait", "delivered");
  const texts = async () => (await bob.ok("inbox")).messages.map(({ text }: { text: string }) => text);
  expect(await texts()).not.toContain("@bob, are you there?");
  await bob.ok("topic", "join", "deploys");
  const { messages } = await bob.ok("topic", "history", "deploys");
  expect(messages.at(-1)).toMatchObject({ text: "@bob, are you there?", mentioned: true });
});

test("made twice, joined or left by nobody: said clearly", async () => {
  const { alice, bob } = await deploys();
  expect(await alice.fails(6, ["topic", "create", "#deploys"])).toMatchObject({ code: "conflict" });
  expect(await bob.fails(5, ["topic", "send", "deplois", "x"])).toMatchObject({
    code: "unknown_topic",
    hint: expect.stringContaining("deploys"),
  });
  expect(await bob.fails(5, ["topic", "history", "nope"])).toMatchObject({ code: "unknown_topic" });
  expect(await bob.fails(5, ["topic", "tail", "nope"])).toMatchObject({ code: "unknown_topic" });
});
