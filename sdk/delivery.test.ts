import { expect, test } from "vitest";
import { CALLER, createMesh, type Frame, invite, type Member } from "#test/mesh.ts";

const COUNT = 30;
const numbered = (count = COUNT) => Array.from({ length: count }, (_, i) => `message ${i}`);
const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);
const isRecord = (frame: Frame) => typeof frame !== "string";

async function pair() {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  const bob = await mesh.person("bob");
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

/** Cuts the member's link once, when the k-th frame that `counts` passes. */
function cutAt(
  member: Member,
  way: "toBroker" | "toDevice",
  k: number,
  counts: (frame: Frame) => boolean,
): void {
  let seen = 0;
  member[way] = (frame) => {
    if (counts(frame) && ++seen === k) {
      member[way] = (later) => [later];
      member.cut();
      return [];
    }
    return [frame];
  };
}

test.each([1, 2, 5, 17, 30])(
  "a sender whose link breaks at its record %i loses nothing and says nothing twice",
  async (k) => {
    const { alice, bob } = await pair();
    cutAt(alice, "toBroker", k, isRecord);
    for (const text of numbered()) await alice.send("bob", text);
    await bob.until(async () => (await texts(bob)).length >= COUNT, "all messages");
    expect(await texts(bob)).toEqual(numbered());
    await alice.until(() => alice.opened().workspace.replica.outboxSize() === 0, "an empty outbox");
  },
);

test.each([1, 3, 30])("a sender whose link breaks before it hears answer %i doesn't either", async (k) => {
  const { alice, bob } = await pair();
  cutAt(alice, "toDevice", k, (frame) => typeof frame === "string" && frame.includes('"ack"'));
  for (const text of numbered()) await alice.send("bob", text);
  await bob.until(async () => (await texts(bob)).length >= COUNT, "all messages");
  expect(await texts(bob)).toEqual(numbered());
});

test.each([1, 4, 29])("a receiver whose link breaks at push %i gets the rest once, in order", async (k) => {
  const { alice, bob } = await pair();
  cutAt(bob, "toDevice", k, isRecord);
  for (const text of numbered()) await alice.send("bob", text);
  await bob.until(async () => (await texts(bob)).length >= COUNT, "all messages");
  expect(await texts(bob)).toEqual(numbered());
});

test("no more than 64 records are under way without an answer", async () => {
  const { alice, bob } = await pair();
  let sent = 0;
  alice.toBroker = (frame) => {
    if (isRecord(frame)) sent++;
    return [];
  };
  for (const text of numbered(100)) await alice.send("bob", text);
  await alice.until(() => sent >= 64, "a full window");
  await new Promise((resolve) => setImmediate(resolve));
  expect(sent).toBe(64);
  alice.toBroker = (frame) => [frame];
  alice.cut();
  await bob.until(async () => (await texts(bob)).length === 100, "all messages");
  expect(await texts(bob)).toEqual(numbered(100));
});

test("the same id is said once, whoever asks again", async () => {
  const { alice, bob } = await pair();
  const { id } = await alice.send("bob", "first");
  const again = { id: id.replace(/.$/, (last) => (last === "0" ? "1" : "0")), to: "bob", text: "once" };
  const caller = { session: null, ended() {} };
  await alice.handlers.message.send(again, caller, () => {});
  await alice.handlers.message.send(again, caller, () => {});
  await bob.until(async () => (await texts(bob)).length >= 2, "both");
  expect((await texts(bob)).sort()).toEqual(["first", "once"]);
});

test("indexes dropped and made again from the records show the same", async () => {
  const { mesh, alice, bob } = await pair();
  await alice.send("bob", "kept");
  await bob.until(async () => (await texts(bob)).length === 1, "the message");
  const before = await bob.inbox();
  const { replica } = bob.opened().workspace;
  replica.setMeta("indexes", "of another version");
  await bob.stop();
  const again = await mesh.person("bob");
  expect(await again.inbox()).toEqual(before.map((message) => ({ ...message })));
});

test("what was under way to somebody who has left holds up nobody else", async () => {
  const { mesh, alice, bob } = await pair();
  const carol = await mesh.person("carol");
  await invite(alice, carol);
  const held: Frame[] = [];
  alice.toDevice = (frame) => {
    held.push(frame);
    return [];
  };
  await bob.handlers.workspace.leave({ workspace: "acme" }, CALLER, () => {});
  await alice.send("bob", "too late");
  await alice.send("carol", "for you");
  alice.toDevice = (frame) => [...held.splice(0), frame];
  await carol.until(async () => (await texts(carol)).includes("for you"), "her message");
});
