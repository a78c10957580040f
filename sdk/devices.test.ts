// Two devices of one account: one member, one history, whichever of them speaks.
import { expect, test } from "vitest";
import { deviceRevokeInput } from "#protocol/chain/proofs.ts";
import { isIn } from "#protocol/chain/state.ts";
import { CALLER, createMesh, type Member, type Mesh, ORIGIN } from "#test/mesh.ts";

const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);
const hears = (member: Member, text: string) =>
  member.until(async () => (await texts(member)).includes(text), `"${text}"`);

/** A further device of alice's comes into her workspace, as a login would have it. */
async function secondDevice(mesh: Mesh, alice: Member): Promise<Member> {
  const desk = await mesh.person(alice.name, "desk");
  expect(desk.peer.account.user).toBe(alice.peer.account.user);
  expect(desk.peer.account.device.id).not.toBe(alice.peer.account.device.id);
  await desk.peer.add(alice.opened().workspace.id, ORIGIN, null);
  await desk.until(() => isIn(chainOf(desk)?.devices.get(desk.peer.account.device.id)), "its device entry");
  const names = () => [...desk.opened().workspace.names().values()];
  await desk.until(() => desk.opened().slug === "acme" && names().includes("bob"), "the names");
  return desk;
}

const chainOf = (member: Member) => member.opened().workspace.chain();

async function team() {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

test("a new device comes in by itself, reads all that was said, and knows everybody's name", async () => {
  const { mesh, alice, bob } = await team();
  await bob.send("alice", "for you");
  await bob.send("*", "for all");
  await alice.send("bob", "an answer");
  await hears(bob, "an answer");
  const desk = await secondDevice(mesh, alice);
  await hears(desk, "for all");
  expect(await texts(desk)).toEqual(["for you", "for all"]);
  const { messages } = await desk.handlers.message.history({ with: "bob" }, CALLER, () => {});
  expect(messages.map(({ text, from }) => [from.name, text])).toEqual([
    ["bob", "for you"],
    ["alice", "an answer"],
  ]);
  const { peers } = await desk.handlers.peer.list({}, CALLER, () => {});
  expect(peers.map(({ name, you }) => [name, you])).toEqual([
    ["alice", true],
    ["bob", false],
  ]);
  expect([...(chainOf(bob)?.members.keys() ?? [])]).toHaveLength(2);
});

test("what one of them says is the other's own word, and reaches colleagues under one name", async () => {
  const { mesh, alice, bob } = await team();
  const desk = await secondDevice(mesh, alice);
  await desk.send("bob", "from the desk");
  await alice.send("bob", "from the laptop");
  await hears(bob, "from the desk");
  await hears(bob, "from the laptop");
  expect((await bob.inbox()).map(({ from }) => from.name)).toEqual(["alice", "alice"]);
  const own = async (member: Member) =>
    (await member.handlers.message.history({ with: "bob" }, CALLER, () => {})).messages.map(
      ({ text }) => text,
    );
  for (const member of [alice, desk]) {
    await member.until(async () => (await own(member)).length === 2, "both own messages");
    expect((await own(member)).toSorted()).toEqual(["from the desk", "from the laptop"]);
    expect([await texts(member), member.refusals()]).toEqual([[], []]);
  }
});

test("a topic that one follows, and how far it was read, is the same on the other", async () => {
  const { mesh, alice, bob } = await team();
  await alice.handlers.topic.create({ topic: "deploys" }, CALLER, () => {});
  await bob.until(async () => {
    const { topics } = await bob.handlers.topic.list({}, CALLER, () => {});
    return topics.length === 1;
  }, "the topic");
  await bob.handlers.topic.send({ topic: "deploys", text: "first" }, CALLER, () => {});
  const desk = await secondDevice(mesh, alice);
  const topicOf = async (member: Member) =>
    (await member.handlers.topic.list({}, CALLER, () => {})).topics.find(({ name }) => name === "deploys");
  await desk.until(async () => (await topicOf(desk))?.joined === true, "the topic to be followed");
  await bob.handlers.topic.send({ topic: "deploys", text: "second" }, CALLER, () => {});
  await desk.until(async () => (await topicOf(desk))?.unread === 1, "the second");
  await alice.until(async () => (await topicOf(alice))?.unread === 2, "both");
  const read = await alice.handlers.topic.history({ topic: "deploys", markRead: true }, CALLER, () => {});
  const last = read.messages.at(-1);
  const seenAs = async (member: Member) =>
    (await member.handlers.topic.members({ topic: "deploys" }, CALLER, () => {})).members.find(
      ({ you }) => you,
    );
  await desk.until(async () => (await seenAs(desk))?.readUpTo === last?.id, "the read marker");
  expect((await topicOf(desk))?.unread).toBe(0);
  await desk.handlers.topic.leave({ topic: "deploys" }, CALLER, () => {});
  await alice.until(async () => (await topicOf(alice))?.joined === false, "the other's leave");
});

test("a revoked device is cut off at once, hears why, and stays out; what is said then isn't sealed to it", async () => {
  const { mesh, alice, bob } = await team();
  const desk = await secondDevice(mesh, alice);
  await revoke(mesh, alice, desk);
  await desk.until(() => desk.opened().workspace.trouble()?.code === "device_revoked", "the reason");
  expect(desk.opened().workspace.link()).toBe("offline");
  const { seq } = headOf(desk);
  await bob.send("*", "among us");
  await hears(alice, "among us");
  expect(chainOf(bob)?.epochs.at(-1)?.number).toBe(1);
  expect([headOf(desk).seq, await texts(desk)]).toEqual([seq, []]);
  desk.peer.opened()[0]?.workspace.start();
  await desk.until(() => desk.opened().workspace.link() === "offline", "the refused hello");
  expect(desk.opened().workspace.trouble()?.code).toBe("device_revoked");
});

/** By alice's root, which no device but the one that logs in ever holds. */
async function revoke(mesh: Mesh, alice: Member, lost: Member): Promise<void> {
  const { account } = alice.peer;
  const devices = [lost.peer.account.device.id];
  const proof = await mesh.signByRoot("alice", deviceRevokeInput(account.user, devices));
  const entry = { type: "device-revoke", devices, proof } as const;
  await alice.opened().workspace.rootEntries.bring(entry, 5000);
}

function headOf(member: Member): { seq: number } {
  return { seq: member.opened().workspace.replica.cursor() };
}
