// A Claude session under its person's rules. What its client would write into files is said here line by line.
import { expect, test } from "vitest";
import type { SessionEvent } from "#protocol/features/daemon.ts";
import { aloneSince } from "#sdk/messages/hops.ts";
import { CALLER, createMesh, type Member, refusedWith } from "#test/mesh.ts";
import { createJudge } from "../policy/judge.ts";
import { parsePolicy } from "../policy/parse.ts";
import type { ClaudeFiles } from "../ports.ts";
import { createSessions } from "../sessions.ts";
import { openClaudeSession } from "./claude-session.ts";
import { shortId } from "./fence.ts";

const CLIENT = { pid: 1, config: "/c", inbox: true };

type Client = {
  isBypassing?: boolean;
  inbound?: "accept" | "hold" | "refuse";
  transcript?: readonly unknown[];
};

/** alice's session payments, at a client like that; what is posted into its inbox is kept. */
async function session(rules: string, { isBypassing = false, inbound = "accept", transcript = [] }: Client) {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await alice.peer.create("personal", null);
  const sessions = createSessions(alice.peer);
  const attached = sessions.attach({ id: "s-1", cwd: "/x/payments", host: "h", type: "claude" });
  let status = "idle";
  let line = (_: string) => {};
  let changed = () => {};
  const files: ClaudeFiles = {
    state: () => ({ session: "s-1", status, version: "" }),
    onState(_, run) {
      changed = run;
      return () => {};
    },
    follow(_, take) {
      line = take;
      for (const entry of transcript) take(JSON.stringify(entry));
      return { look() {}, close() {} };
    },
    inbound: () => inbound,
    bypasses: async () => isBypassing,
    repository: () => ({ repo: null, branch: null }),
    readBack: () => null,
  };
  const judge = createJudge(alice.peer, () => parsePolicy(rules));
  const posts: string[] = [];
  let count = 0;
  const emit = (event: SessionEvent) => {
    if (event.type !== "post") return;
    posts.push(JSON.parse(event.line).message.content);
    queueMicrotask(() => one.posted(event.post, null));
  };
  const surroundings = { peer: alice.peer, sessions, files, judge, nextPost: () => ++count };
  const one = openClaudeSession(surroundings, attached, CLIENT, emit);
  sessions.listen(() => one.look());
  alice.peer.listen((_, happening) => happening.type === "given" && one.look());
  return {
    alice,
    attached,
    posts,
    one,
    writes: (entry: unknown) => line(JSON.stringify(entry)),
    isAt(next: "idle" | "busy") {
      status = next;
      changed();
    },
    say: async (text: string) =>
      (await alice.handlers.message.send({ to: "me/payments", text }, CALLER, () => {})).id,
  };
}

/** How each message stands, by its text. */
async function stands(member: Member): Promise<Record<string, unknown>> {
  const { workspace } = member.opened();
  const rows = workspace.replica.db
    .sql("SELECT m.text, d.state, d.reason FROM deliveries d JOIN messages m ON m.id = d.id")
    .all();
  return Object.fromEntries(rows.map(({ text, state, reason }) => [text, reason ?? state]));
}

test("one that bypasses permissions is for its person's yes; what the mode is now counts, not how it began", async () => {
  const { alice, say, posts, writes, one } = await session("", { isBypassing: true });
  const reason = "payments runs without permission prompts; its person has to release it";
  await say("one");
  await alice.until(async () => (await stands(alice)).one === reason, "it to be held");
  expect(one.trouble()).toBe("it runs without permission prompts: messages are held");
  writes({ type: "permission-mode", permissionMode: "default" });
  await say("two");
  await alice.until(async () => (await stands(alice)).two === "shown", "the second");
  expect(posts).toHaveLength(1);
  await alice.handlers.message.release({ all: true }, CALLER, () => {});
  await alice.until(async () => (await stands(alice)).one === "shown", "the first");
  expect(posts).toHaveLength(2);
});

test("its person may let messages come to one that bypasses", async () => {
  const { alice, say, one } = await session("bypass: accept", { isBypassing: true });
  await say("one");
  await alice.until(async () => (await stands(alice)).one === "shown", "it");
  expect(one.trouble()).toBeNull();
});

test("what the client keeps for its person is held, posted once, and isn't ours to release", async () => {
  const { alice, say, posts } = await session("", { inbound: "hold" });
  const id = await say("one");
  await alice.until(
    async () => (await stands(alice)).one === "its client asks its person first",
    "it to be kept",
  );
  const release = async () => alice.handlers.message.release({ ids: [id] }, CALLER, () => {});
  expect(await refusedWith(release())).toBe("refused");
  expect(posts).toHaveLength(1);
});

test("a session that is attached again reads what its transcript has, and what was typed there", async () => {
  const posted = `<cross-session-message from="claudemesh" from-name="bob" verified="no">\nhi\n\nReply: claudemesh send bob "…" --reply-to 0000000a\n</cross-session-message>`;
  const timestamp = new Date(Date.now() - 1000).toISOString();
  const { alice, attached, say } = await session("", {
    transcript: [
      { type: "queue-operation", operation: "enqueue", content: posted },
      { type: "user", timestamp, origin: { kind: "human" }, message: { content: "go on" } },
      { type: "user", message: { content: posted } },
      { type: "assistant", message: { model: "claude-opus-5-5" } },
    ],
  });
  expect(aloneSince(alice.peer, attached.id)).toBe(Date.parse(timestamp));
  expect(attached.model).toBe("claude-opus-5-5");
  await say("one");
  await alice.until(async () => (await stands(alice)).one === "shown", "a message");
});

test("woken often enough, it hears the rest when it is at work", async () => {
  const { alice, say, posts, isAt, writes } = await session("wakeups: 1", {});
  const first = await say("one");
  await alice.until(async () => (await stands(alice)).one === "shown", "the first");
  writes({ type: "user", message: { content: posts[0] } });
  writes({ type: "assistant", message: {} });
  await alice.until(async () => (await stands(alice)).one === "seen", `${shortId(first)} to be seen`);
  await say("two");
  await alice.until(
    async () => String((await stands(alice)).two).startsWith("payments was woken"),
    "it to wait",
  );
  isAt("busy");
  await alice.until(async () => (await stands(alice)).two === "shown", "it while at work");
  expect(posts).toHaveLength(2);
});
