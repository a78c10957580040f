import { expect, test } from "vitest";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

type Texts = { messages: { text: string }[] };
const textsOf = ({ messages }: Texts) => messages.map(({ text }) => text);

test("two people meet, write, answer, and know what became of it", async () => {
  const { alice, bob } = await createPair();
  const sent = await alice.ok("send", "bob", "the build is red", "--wait", "delivered");
  expect(sent).toMatchObject({ workspace: "acme", to: "bob", state: "delivered" });
  const { messages } = await bob.ok("inbox", "--unread");
  expect(messages).toMatchObject([{ id: sent.id, text: "the build is red", read: false }]);

  const short = sent.id.slice(-8);
  const reply = await bob.ok("send", "alice", "mending it", "--reply-to", short, "--wait", "delivered");
  const [answer] = (await alice.ok("inbox", "--mark-read")).messages;
  expect(answer).toMatchObject({ id: reply.id, text: "mending it", replyTo: sent.id, read: false });
  expect((await alice.ok("inbox", "--unread")).messages).toEqual([]);
  expect((await alice.ok("inbox")).messages).toMatchObject([{ id: reply.id, read: true }]);

  const { receipts } = await alice.ok("message", "status", short);
  expect(receipts.map(({ state }: { state: string }) => state)).toEqual([
    "queued",
    "stored",
    "delivered",
    "answered",
  ]);
  expect(receipts.at(-1).by).toBe("bob");
});

test("what is unread is counted until it is read, and `inbox --limit` shows the newest, oldest first", async () => {
  const { alice, bob } = await createPair();
  for (const text of ["one", "two", "three"]) await alice.ok("send", "bob", text, "--wait", "delivered");
  const unread = async () => (await bob.ok("status")).workspaces.at(-1).unread;
  expect(await unread()).toBe(3);
  expect(textsOf(await bob.ok("inbox", "--unread", "--limit", "2", "--mark-read"))).toEqual(["two", "three"]);
  expect(await unread()).toBe(1);
  expect(textsOf(await bob.ok("inbox", "--unread"))).toEqual(["one"]);
  expect(textsOf(await bob.ok("inbox"))).toEqual(["one", "two", "three"]);
});

test("a note to myself and a word to everyone", async () => {
  const { alice, bob } = await createPair();
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
  // Neither the note nor one's own word to everyone comes to anybody else's inbox, or back.
  expect((await alice.ok("inbox")).messages).toEqual([]);
});

test("with a broker away everything reads and writes; what was said leaves once it is back", async () => {
  const { broker, alice, bob } = await createPair();
  await alice.ok("send", "bob", "before", "--wait", "delivered");
  await broker.kill9();
  expect(textsOf(await bob.ok("inbox"))).toEqual(["before"]);
  expect(await alice.ok("send", "bob", "meanwhile")).toMatchObject({ state: "queued" });
  await eventually(
    async () => (await alice.ok("status")).workspaces.at(-1).link !== "online",
    "the link's end",
  );
  expect((await alice.ok("status")).workspaces.at(-1)).toMatchObject({ slug: "acme", outbox: 1 });
  await broker.restart();
  await eventually(async () => (await bob.ok("inbox")).messages.length === 2, "the message");
  await eventually(async () => (await alice.ok("status")).workspaces.at(-1).outbox === 0, "an empty outbox");
});

test("a second person of a name gets a number, and is reached by it", async () => {
  const { world, broker, alice, bob } = await createPair();
  const flags = ["--name", "bob", "--broker", broker.url, "--no-broker"];
  const other = await world.person("bob-too", broker, flags);
  const { url } = await alice.ok("invite", "create", "--workspace", "acme");
  expect(await other.ok("join", url)).toMatchObject({
    slug: "acme",
    member: { name: "bob-2", role: "member" },
  });
  const peers = await eventually(async () => {
    const found = (await alice.ok("peers", "--workspace", "acme")).peers;
    return found.length === 3 && found.every(({ online }: { online: boolean }) => online) && found;
  }, "all three online");
  expect(peers.map(({ name, you }: { name: string; you: boolean }) => [name, you])).toEqual([
    ["alice", true],
    ["bob", false],
    ["bob-2", false],
  ]);
  await alice.ok("send", "bob-2", "you, the other one", "--wait", "delivered");
  expect(textsOf(await other.ok("inbox"))).toEqual(["you, the other one"]);
  expect((await bob.ok("inbox")).messages).toEqual([]);
});
