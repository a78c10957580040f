import { expect, test } from "vitest";
import { createWorld, eventually } from "./world.ts";

async function pair() {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  const bob = await world.person("bob", broker);
  await world.team(alice, bob);
  return { world, broker, alice, bob };
}

test("two people meet, write, answer, and know what became of it", async () => {
  const { alice, bob } = await pair();
  const sent = await alice.ok("send", "bob", "the build is red", "--wait", "delivered");
  expect(sent).toMatchObject({ workspace: "acme", to: "bob", state: "delivered" });

  const { messages } = await bob.ok("inbox", "--unread");
  expect(messages).toHaveLength(1);
  expect(messages[0]).toMatchObject({
    id: sent.id,
    workspace: "acme",
    from: { name: "alice", address: "alice", verified: false },
    to: "bob",
    topic: null,
    text: "the build is red",
    replyTo: null,
    priority: "next",
    read: false,
  });
  expect(messages[0].sentAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);

  const reply = await bob.ok(
    "send",
    "alice",
    "mending it",
    "--reply-to",
    sent.id.slice(-8),
    "--wait",
    "delivered",
  );
  const [answer] = (await alice.ok("inbox", "--mark-read")).messages;
  expect(answer).toMatchObject({ id: reply.id, text: "mending it", replyTo: sent.id });
  expect((await alice.ok("inbox", "--unread")).messages).toEqual([]);

  const status = await alice.ok("message", "status", sent.id);
  expect(status.receipts.map(({ state }: { state: string }) => state)).toEqual([
    "queued",
    "stored",
    "delivered",
  ]);
  expect(status.receipts.at(-1).by).toBe("bob");
});

test("a note to myself and a word to everyone", async () => {
  const { alice, bob } = await pair();
  await bob.ok("send", "me", "buy milk", "--workspace", "acme", "--wait", "stored");
  await alice.ok("send", "*", "stand-up now", "--wait", "stored");
  const messages = await eventually(async () => {
    const found = (await bob.ok("inbox")).messages;
    return found.length === 2 && found;
  }, "both messages");
  expect(messages.map(({ text, to }: { text: string; to: string }) => [text, to])).toEqual([
    ["buy milk", "me"],
    ["stand-up now", "*"],
  ]);
});

test("topics: made, listed with unread counts, joined late with their history, followed, left", async () => {
  const { alice, bob } = await pair();
  await alice.ok("topic", "create", "deploys");
  await alice.ok("topic", "send", "deploys", "1.3 is out", "--wait", "stored");
  await alice.ok("topic", "send", "#deploys", "hey @bob, 1.4 is out", "--wait", "stored");
  await eventually(async () => (await bob.ok("topic", "list")).topics.length === 1, "the topic at bob's");

  await bob.ok("topic", "join", "deploys");
  const { messages } = await bob.ok("topic", "history", "deploys");
  expect(messages.map(({ text }: { text: string }) => text)).toEqual(["1.3 is out", "hey @bob, 1.4 is out"]);
  expect((await bob.ok("topic", "list")).topics[0]).toMatchObject({
    name: "deploys",
    joined: true,
    unread: 2,
    mentions: 1,
  });
  await bob.ok("topic", "history", "deploys", "--mark-read");
  expect((await bob.ok("topic", "list")).topics[0]).toMatchObject({ unread: 0, mentions: 0 });

  const client = await bob.client();
  const heard = new Promise((resolve) => {
    client.daemon.topic.tail({ topic: "deploys" }, ({ text }) => resolve(text)).catch(resolve);
  });
  await client.daemon.topic.list({});
  await alice.ok("send", "#deploys", "1.5 is out");
  expect(await heard).toBe("1.5 is out");
  client.close();

  await bob.ok("topic", "leave", "deploys");
  expect((await bob.ok("topic", "list")).topics[0]).toMatchObject({ joined: false });
});

test("peers shows who is there, and a second person of a name gets a number", async () => {
  const { world, broker, alice } = await pair();
  const bob2 = await world.person("bob-too", broker, [
    "--name",
    "bob",
    "--broker",
    broker.url,
    "--no-broker",
  ]);
  const { url } = await alice.ok("invite", "create", "--workspace", "acme");
  const joined = await bob2.ok("join", url);
  expect(joined).toMatchObject({ slug: "acme", member: { name: "bob-2", role: "member" } });
  const peers = await eventually(async () => {
    const found = (await alice.ok("peers", "--workspace", "acme")).peers;
    return found.length === 3 && found.every(({ online }: { online: boolean }) => online) && found;
  }, "all three online");
  expect(peers.map(({ name, you }: { name: string; you: boolean }) => [name, you])).toEqual([
    ["alice", true],
    ["bob", false],
    ["bob-2", false],
  ]);
});
