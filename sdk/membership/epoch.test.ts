import { expect, test } from "vitest";
import { CALLER, createMesh, invite, type Member, refusedWith } from "#test/mesh.ts";

const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);
const epochOf = (member: Member) => member.opened().workspace.chain()?.epochs.at(-1)?.number;

async function three() {
  const mesh = await createMesh();
  const [alice, bob, carol] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("carol"),
  ];
  await mesh.team(alice, bob, carol);
  return { mesh, alice, bob, carol };
}

test("after somebody left, the next sender begins a new epoch, and who left isn't in it", async () => {
  const { alice, bob, carol } = await three();
  const { workspace } = carol.opened();
  await workspace.propose(async () => ({ type: "leave" }), 5000);
  await alice.until(() => alice.opened().workspace.chain()?.stale === true, "the leave");
  await alice.send("*", "among us");
  await bob.until(async () => (await texts(bob)).includes("among us"), "the message");
  expect([epochOf(alice), epochOf(bob)]).toEqual([1, 1]);
  const sealed = alice.opened().workspace.chain()?.epochs.at(-1)?.sealed;
  expect(sealed && [...sealed.keys()].sort()).toEqual(
    [alice.peer.account.user, bob.peer.account.user].sort(),
  );
  expect(await texts(carol)).toEqual([]);
});

test("what waits in an outbox is sealed under the epoch of the day it leaves", async () => {
  const { alice, bob, carol } = await three();
  alice.toBroker = () => [];
  alice.cut();
  await alice.send("bob", "said before");
  await carol.opened().workspace.propose(async () => ({ type: "leave" }), 5000);
  alice.toBroker = (frame) => [frame];
  alice.cut();
  await bob.until(async () => (await texts(bob)).includes("said before"), "the message");
  expect(epochOf(bob)).toBe(1);
});

test("a newcomer opens the history of all epochs with the one key it gets", async () => {
  const { mesh, alice, bob, carol } = await three();
  await alice.send("*", "in epoch 0");
  await carol.opened().workspace.propose(async () => ({ type: "leave" }), 5000);
  await alice.until(() => alice.opened().workspace.chain()?.stale === true, "the leave");
  await alice.send("*", "in epoch 1");
  await bob.until(async () => (await texts(bob)).length === 2, "both");
  const dave = await mesh.person("dave");
  await invite(alice, dave);
  await dave.until(async () => (await texts(dave)).length === 2, "the history");
  expect(await texts(dave)).toEqual(["in epoch 0", "in epoch 1"]);
});

test("a joiner whom nobody can hand a key waits, and has it once somebody is back", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  const { url } = await alice.handlers.invite.create({}, CALLER, () => {});
  alice.toBroker = () => [];
  alice.cut();
  const bob = await mesh.person("bob");
  expect(await bob.handlers.invite.accept({ url }, CALLER, () => {})).toMatchObject({ waiting: true });
  expect(await refusedWith(bob.handlers.topic.create({ topic: "deploys" }, CALLER, () => {}))).toBe(
    "waiting_for_key",
  );
  alice.toBroker = (frame) => [frame];
  alice.cut();
  await bob.until(() => bob.opened().slug === "acme", "the key, and with it the workspace's name");
  await bob.send("alice", "here I am");
  await alice.until(async () => (await texts(alice)).includes("here I am"), "the message");
});

test("many join at once: each has the key, and names are numbered alike everywhere", async () => {
  const mesh = await createMesh();
  const owner = await mesh.person("sam");
  await mesh.team(owner);
  const { url } = await owner.handlers.invite.create({ uses: 6 }, CALLER, () => {});
  const joiners = await Promise.all(
    Array.from({ length: 6 }, () => owner.name).map((name, i) => mesh.person(`${name}${i}`)),
  );
  for (const joiner of joiners) joiner.peer.account.name = "sam";
  await Promise.all(joiners.map((joiner) => joiner.handlers.invite.accept({ url }, CALLER, () => {})));
  const names = async (member: Member) =>
    (await member.handlers.peer.list({}, CALLER, () => {})).peers.map(({ name }) => name);
  const expected = ["sam", "sam-2", "sam-3", "sam-4", "sam-5", "sam-6", "sam-7"];
  for (const member of [owner, ...joiners]) {
    await member.until(
      async () => JSON.stringify(await names(member)) === JSON.stringify(expected),
      "all names",
    );
  }
  const late = await mesh.person("late");
  expect(await refusedWith(late.handlers.invite.accept({ url }, CALLER, () => {}))).toBe("invite_exhausted");
});
