// What waits for a session, under the person's rules: real messages and databases, time as the test has it.
import { expect, test } from "vitest";
import { aloneSince } from "#sdk/messages/hops.ts";
import { turnOf } from "#sdk/messages/tally.ts";
import type { Caller } from "#sdk/peer.ts";
import { CALLER, createMesh, refusedWith } from "#test/mesh.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { createJudge } from "../policy/judge.ts";
import { parsePolicy } from "../policy/parse.ts";
import { createSessions } from "../sessions.ts";
import { createPostBox } from "./post-box.ts";

/** alice's sessions docs and payments; what is posted to payments is kept. Everything goes by a virtual clock. */
async function room(rules = "") {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await alice.peer.create("personal", null);
  const time = createVirtualTime();
  const { now } = time.clock;
  Object.assign(alice.peer.ports, { timers: time.timers });
  const peer = Object.assign(alice.peer, { now });
  const sessions = createSessions(peer);
  const docs = sessions.attach({ id: "s-docs", cwd: "/x/docs", host: "h", type: "other" });
  const payments = sessions.attach({ id: "s-payments", cwd: "/x/payments", host: "h", type: "other" });
  let policy = parsePolicy(rules);
  const judge = createJudge(peer, () => policy);
  const posts: string[][] = [];
  let isIdle = false;
  const box = createPostBox(peer, payments, {
    wait: () => 0,
    verdict: (waiting, admitted) =>
      judge.verdict(payments, waiting, admitted, { inbound: "accept", wakes: isIdle }),
    async carry(messages) {
      if (isIdle) judge.woke(payments);
      posts.push(messages.map(({ message }) => message.text));
      return { shown: messages.length, rest: "waits" };
    },
  });
  sessions.listen(() => box.look());
  peer.listen((_, happening) => happening.type === "given" && box.look());
  const as = (id: string): Caller => ({ ...CALLER, session: sessions.caller(id) });
  const { message } = alice.handlers;
  return {
    time,
    posts,
    docs,
    payments,
    sessions,
    box,
    turnOf(id: string) {
      const { workspace } = alice.opened();
      const pair = { sender: workspace.me, session: "docs", names: ["payments"] };
      return turnOf(workspace, id, pair, aloneSince(peer, payments.id));
    },
    setRules(text: string) {
      policy = parsePolicy(text);
      box.look();
    },
    setIdle(is: boolean) {
      isIdle = is;
      box.look();
    },
    /** From docs, or by its person at a terminal. */
    async say(text: string, from: "docs" | "terminal" = "docs", priority?: "now") {
      const caller = from === "docs" ? as(docs.id) : CALLER;
      const { id } = await message.send({ to: "me/payments", text, priority }, caller, () => {});
      await time.pass(0);
      return id;
    },
    /** From payments. */
    answer: (text: string) => message.send({ to: "me/docs", text }, as(payments.id), () => {}),
    held: async () =>
      (await message.inbox({ held: true }, CALLER, () => {})).messages.map(({ text, held }) => [text, held]),
    unread: async () => (await message.inbox({}, as(payments.id), () => {})).messages.map(({ text }) => text),
    async release(...ids: string[]) {
      await message.release({ ids }, CALLER, () => {});
      await time.pass(0);
    },
    drop: async (...ids: string[]) => message.drop({ ids }, CALLER, () => {}),
  };
}

test("held by a rule, it stays in the inbox with its reason; released, it is posted once", async () => {
  const { say, posts, held, release, box, unread } = await room("inbound: [{ kind: session, do: hold }]");
  const id = await say("for your eyes");
  expect(posts).toEqual([]);
  expect(await held()).toEqual([["for your eyes", "a rule holds it for its person"]]);
  // Its person's to read, not the session's.
  expect(await unread()).toEqual([]);
  await release(id.slice(-8));
  expect(posts).toEqual([["for your eyes"]]);
  expect(await held()).toEqual([]);
  box.look();
  expect(await refusedWith(release(id))).toBe("not_found");
  expect(posts).toHaveLength(1);
});

test("dropped, it is never posted, and there is nothing more to release", async () => {
  const { say, posts, held, drop, release, setRules } = await room("inbound: [{ kind: session, do: hold }]");
  const id = await say("spam");
  await drop(id);
  setRules("");
  expect([await held(), posts]).toEqual([[], []]);
  expect(await refusedWith(release(id))).toBe("not_found");
});

test("released while its session is away, it is posted to the next that comes by that name", async () => {
  const { say, sessions, payments, posts, release, box } = await room("inbound: [{ do: hold }]");
  const id = await say("later");
  sessions.detach(payments);
  await release(id);
  expect(posts).toEqual([]);
  sessions.attach({ id: "s-payments", cwd: "/x/payments", host: "h", type: "other" });
  box.look();
  expect(posts).toEqual([["later"]]);
});

test("what comes in quiet hours is posted when they end, also where the machine slept meanwhile", async () => {
  const { say, time, posts, held, setRules } = await room();
  const clock = (ms: number) => new Date(time.clock.now() + ms).toTimeString().slice(0, 5);
  setRules(`quiet: [{ from: "${clock(-3_600_000)}", to: "${clock(3_600_000)}" }]`);
  await say("one");
  await say("two");
  expect([posts, await held()]).toEqual([
    [],
    [
      ["one", "quiet hours"],
      ["two", "quiet hours"],
    ],
  ]);
  time.sleep(2 * 3_600_000);
  await time.pass(60_000);
  expect(posts).toEqual([["one", "two"]]);
  expect(await held()).toEqual([]);
});

test("a session that isn't to be disturbed hears what is urgent, and the rest together when that ends", async () => {
  const { say, posts, sessions, payments, time } = await room();
  sessions.change(payments, { status: "dnd" });
  await say("one");
  await say("two");
  await say("the build is on fire", "docs", "now");
  expect(posts).toEqual([["the build is on fire"]]);
  sessions.change(payments, { status: "idle" });
  await time.pass(0);
  expect(posts).toEqual([["the build is on fire"], ["one", "two"]]);
});

test("beyond the rate, what comes is held, and goes together when the minute allows it", async () => {
  const { say, posts, time, held } = await room("rate: 2");
  for (const text of ["one", "two", "three", "four", "five"]) await say(text);
  expect(posts).toEqual([["one"], ["two"]]);
  expect(await held()).toHaveLength(3);
  await time.pass(60_000);
  expect(posts.slice(2)).toEqual([["three", "four"]]);
  await time.pass(60_000);
  expect(posts.slice(3)).toEqual([["five"]]);
});

test("an idle session that was woken often enough hears the rest once it is at work", async () => {
  const { say, posts, setIdle, time } = await room("wakeups: 1");
  setIdle(true);
  await say("one");
  await say("two");
  await say("three");
  expect(posts).toEqual([["one"]]);
  setIdle(false);
  await time.pass(0);
  expect(posts).toEqual([["one"], ["two", "three"]]);
});

test("the same words are damped, and other ones go on", async () => {
  const { say, posts, held } = await room("repeats: 2");
  for (const text of ["thanks", "thanks", "thanks", "and now?"]) await say(text);
  expect(posts.flat()).toEqual(["thanks", "thanks", "and now?"]);
  expect(await held()).toEqual([["thanks", "the same words came 2 times already"]]);
});

test("sessions that answer each other are stopped and let go on once; what a person types begins anew", async () => {
  const { say, answer, posts, held, release, sessions, docs, time } = await room();
  for (let i = 1; i <= 4; i++) {
    await say(`ping ${i}`);
    await answer(`pong ${i}`);
  }
  const id = await say("ping 5");
  expect(posts).toHaveLength(4);
  expect(await held()).toEqual([["ping 5", "sessions have answered each other 8 times with nobody typing"]]);
  await release(id);
  await answer("pong 5");
  await say("ping 6");
  expect(posts.flat()).toEqual(["ping 1", "ping 2", "ping 3", "ping 4", "ping 5"]);
  await say("stop that", "terminal");
  expect(posts.flat().at(-1)).toBe("stop that");
  await time.pass(1);
  sessions.typed(docs, time.clock.now());
  await say("my person asks");
  expect(posts.flat().at(-1)).toBe("my person asks");
});

test("turns are counted of a to and fro, not of several in a row, and not beyond the hour", async () => {
  const { say, answer, turnOf, time } = await room();
  expect(turnOf(await say("one"))).toBe(1);
  expect(turnOf(await say("two"))).toBe(1);
  await answer("both");
  await answer("done");
  expect(turnOf(await say("three"))).toBe(3);
  await time.pass(2 * 3_600_000);
  expect(turnOf(await say("four"))).toBe(1);
});

test("changed rules count for what waits", async () => {
  const { say, posts, setRules, time } = await room("rate: 1");
  for (const text of ["one", "two", "three"]) await say(text);
  setRules("rate: 100");
  await time.pass(0);
  expect(posts).toEqual([["one"], ["two", "three"]]);
});
