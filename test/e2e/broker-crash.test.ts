import { expect, test } from "vitest";
import { inboxOf, listenAt, numbered, sayMany } from "./stream.ts";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

const COUNT = 300;
const A = numbered("a", COUNT);
const B = numbered("b", COUNT);

test("a broker killed three times while both sides talk: nothing lost, nothing twice, each sender's order kept", async () => {
  const { broker, alice, bob } = await createPair();
  const [atAlice, atBob] = [await listenAt(alice), await listenAt(bob)];
  const kill = () => broker.kill9();
  const back = () => broker.restart();
  // In the middle of what alice says, of what is then on its way, and once more while all of it is caught up on.
  const saying = [sayMany(alice, "bob", A, { count: 100, run: kill }), sayMany(bob, "alice", B)];
  await Promise.all(saying);
  for (const heardBy of [0.3, 0.6]) {
    await back();
    await atBob.count(COUNT * heardBy);
    await kill();
  }
  await back();
  await Promise.all([atBob.count(COUNT), atAlice.count(COUNT)]);
  await alice.ok("send", "bob", "the end", "--wait", "delivered", "--timeout", "30s");
  await bob.ok("send", "alice", "the end", "--wait", "delivered", "--timeout", "30s");
  expect(atBob.heard).toEqual([...A, "the end"]);
  expect(atAlice.heard).toEqual([...B, "the end"]);
  expect(await inboxOf(bob)).toEqual(atBob.heard);
  expect(await inboxOf(alice)).toEqual(atAlice.heard);
}, 90_000);

test("everything killed at once: both daemons and the broker; all that was taken is there afterwards", async () => {
  const { broker, alice, bob } = await createPair();
  await sayMany(alice, "bob", A, {
    count: 200,
    run: () => Promise.all([broker.kill9(), bob.kill9()]),
  });
  await alice.kill9();
  await broker.restart();
  await Promise.all([alice.ok("up"), bob.ok("up")]);
  await alice.ok("send", "bob", "the end", "--wait", "delivered", "--timeout", "30s");
  expect(await inboxOf(bob)).toEqual([...A, "the end"]);
  const { messages } = await bob.ok("inbox", "--workspace", "acme");
  expect(new Set(messages.map(({ id }: { id: string }) => id)).size).toBe(COUNT + 1);
});

test("what was stored before the broker was killed is stored after: history for one who joins then", async () => {
  const { world, broker, alice } = await createPair();
  await alice.ok("topic", "create", "deploys");
  for (const text of ["one", "two"]) await alice.ok("topic", "send", "deploys", text, "--wait", "stored");
  const { url } = await alice.ok("invite", "create", "--workspace", "acme");
  await broker.kill9();
  await broker.restart();
  const carol = await world.person("carol", broker);
  // A link that was made before is good, too.
  await carol.ok("join", url);
  await eventually(async () => (await carol.ok("topic", "list")).topics.length === 1, "the topic");
  const { messages } = await carol.ok("topic", "history", "deploys");
  expect(messages.map(({ text }: { text: string }) => text)).toEqual(["one", "two"]);
});
