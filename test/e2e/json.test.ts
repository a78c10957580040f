import { join } from "node:path";
import { expect, test } from "vitest";
import { startAdapter } from "./adapter.ts";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

// The printed JSON is what scripts lean on: a field that comes, goes or changes its type shows up here.
const text = expect.any(String);
const count = expect.any(Number);
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const recordId = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);

test("the fields of status, workspace create, invite create, join", async () => {
  const { world, broker, alice, bob } = await createPair();
  const policy = { path: join(alice.home, "policy.yaml"), trouble: null };
  const daemon = { pid: count, version: text, uptimeMs: count, home: alice.home, socket: text, policy };
  const workspace = (slug: string) => ({
    id: text,
    slug,
    broker: broker.url,
    link: "online",
    outbox: count,
    unread: 0,
    cursor: count,
    trouble: null,
    socket: text,
  });
  await eventually(
    async () => !JSON.stringify(await alice.ok("status")).includes('"connecting"'),
    "both links",
  );
  expect(await alice.ok("status")).toEqual({
    daemon,
    account: { userId: text, name: "alice" },
    broker: { url: broker.url, embedded: false },
    workspaces: [workspace("personal"), workspace("acme")],
  });
  expect(await alice.ok("workspace", "create", "Other Works")).toEqual({
    id: text,
    slug: "other-works",
    broker: broker.url,
  });
  const invite = await alice.ok("invite", "create", "--workspace", "other-works", "--uses", "2");
  expect(invite).toEqual({ url: text, code: text, role: "member", expiresAt: time, uses: 2 });
  expect(invite.url).toMatch(new RegExp(`^${broker.url}/i/${invite.code}#[\\w-]{43}$`));
  const joined = { slug: "other-works", waiting: false, member: { id: text, name: text, role: "member" } };
  expect(await bob.ok("join", invite.url)).toEqual({ id: text, ...joined });
  // A link is a verb of its own.
  const carol = await world.person("carol", broker);
  expect(await carol.ok(invite.url)).toEqual({ id: text, ...joined });
});

test("the fields of send, message status, inbox and topic history", async () => {
  const { alice, bob } = await createPair();
  const sent = await alice.ok("send", "bob", "hello", "--wait", "delivered");
  expect(sent).toEqual({ id: recordId, workspace: "acme", to: "bob", state: "delivered" });
  const receipt = { at: time, by: null, detail: null };
  expect(await alice.ok("message", "status", sent.id)).toEqual({
    id: sent.id,
    to: "bob",
    receipts: [
      { state: "queued", ...receipt },
      { state: "stored", ...receipt },
      { state: "delivered", ...receipt, by: "bob" },
    ],
  });
  const message = {
    id: sent.id,
    workspace: "acme",
    from: { member: text, name: "alice", address: "alice", verified: false, keyChanged: null },
    to: "bob",
    topic: null,
    text: "hello",
    replyTo: null,
    thread: null,
    mentioned: false,
    priority: "next",
    sentAt: time,
    receivedAt: time,
    read: false,
    possiblyShown: false,
    held: null,
  };
  // Who came later isn't told how they came.
  expect(await bob.ok("inbox")).toEqual({ messages: [message], notices: [] });
  expect((await alice.ok("inbox")).notices).toEqual([
    {
      id: recordId,
      workspace: "acme",
      at: time,
      kind: "joined",
      member: { id: text, name: "bob" },
      by: { id: text, name: "alice" },
      detail: { how: "link", code: text },
      text: "bob joined, invited by alice (link)",
      read: false,
    },
  ]);

  await alice.ok("topic", "create", "deploys");
  await alice.ok(
    "topic",
    "send",
    "deploys",
    "1.3",
    "--priority",
    "low",
    "--reply-to",
    sent.id,
    "--wait",
    "stored",
  );
  const { messages } = await alice.ok("topic", "history", "deploys");
  const said = { id: recordId, to: "#deploys", topic: "deploys", text: "1.3", replyTo: sent.id };
  expect(messages).toEqual([{ ...message, ...said, thread: recordId, priority: "low", read: true }]);
});

test("the fields of peers", async () => {
  const { world, alice } = await createPair();
  const folder = join(world.folder, "payments");
  await startAdapter(alice, { session: "s-1", folder });
  const isBobHere = async () => {
    const { peers } = await alice.ok("peers", "--workspace", "acme");
    return peers.some(({ name, online }: { name: string; online: boolean }) => name === "bob" && online);
  };
  await eventually(isBobHere, "bob to be online");
  const member = { member: text, workspace: "acme", online: true, verified: false, keyChanged: null };
  const session = {
    id: "s-1",
    address: "alice/payments",
    type: "claude",
    status: "idle",
    summary: null,
    cwd: folder,
    host: text,
    sameHost: true,
    repo: null,
    branch: null,
    model: null,
    stats: null,
  };
  expect(await alice.ok("peers", "--workspace", "acme")).toEqual({
    peers: [
      { ...member, name: "alice", role: "owner", you: true, lastSeen: null, sessions: [session] },
      { ...member, name: "bob", role: "member", you: false, lastSeen: time, sessions: [] },
    ],
  });
});
