// Private topics: who is in reads all of it, who isn't reads nothing, whatever happens in between.
import { expect, test } from "vitest";
import { CALLER, createMesh, invite, type Member, refusedWith } from "#test/mesh.ts";

const none = () => {};

export const say = (member: Member, topic: string, text: string) =>
  member.handlers.topic.send({ topic, text }, CALLER, none);

async function texts(member: Member, topic: string): Promise<string[]> {
  const { messages } = await member.handlers.topic.history({ topic, limit: 1000 }, CALLER, none);
  return messages.map(({ text }) => text);
}

async function membersOf(member: Member, topic: string): Promise<string[] | null> {
  return (await member.handlers.topic.info({ topic }, CALLER, none)).members;
}

const hears = (member: Member, topic: string, text: string) =>
  member.until(
    async () => (await names(member)).includes(topic) && (await texts(member, topic)).includes(text),
    `"${text}" at ${member.name}`,
  );

async function names(member: Member): Promise<string[]> {
  return (await member.handlers.topic.list({}, CALLER, none)).topics.map(({ name }) => name);
}

const create = (member: Member, topic: string, ...members: string[]) =>
  member.handlers.topic.create({ topic, private: true, members }, CALLER, none);

async function four() {
  const mesh = await createMesh();
  const [alice, bob, carol] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("carol"),
  ];
  await mesh.team(alice, bob, carol);
  const gina = await mesh.person("gina");
  await invite(alice, gina, "guest");
  return { mesh, alice, bob, carol, gina };
}

test("who is in sends and reads, a guest too; who isn't doesn't even know of it", async () => {
  const { alice, bob, carol, gina } = await four();
  const made = await create(alice, "hiring", "bob", "gina");
  expect(made).toMatchObject({
    name: "hiring",
    private: true,
    joined: true,
    members: ["alice", "bob", "gina"],
  });
  await say(alice, "hiring", "one");
  await hears(bob, "hiring", "one");
  await hears(gina, "hiring", "one");
  await say(gina, "hiring", "from the guest");
  await hears(alice, "hiring", "from the guest");
  await hears(bob, "hiring", "from the guest");
  expect(await names(carol)).toEqual([]);
  expect(await refusedWith(say(carol, "hiring", "me too"))).toBe("unknown_topic");
});

test("a newcomer reads what was said before; who was removed nothing after", async () => {
  const { alice, bob, carol } = await four();
  await create(alice, "hiring", "bob");
  await say(alice, "hiring", "before");
  await hears(bob, "hiring", "before");
  await bob.handlers.topic.add({ topic: "hiring", members: ["carol"] }, CALLER, none);
  await hears(carol, "hiring", "before");
  await alice.handlers.topic.remove({ topic: "hiring", members: ["bob"] }, CALLER, none);
  await say(carol, "hiring", "after");
  await hears(alice, "hiring", "after");
  await bob.until(async () => (await names(bob)).length === 0, "bob to be out");
  expect(await membersOf(alice, "hiring")).toEqual(["alice", "carol"]);
  expect([alice, bob, carol].map((one) => one.refusals())).toEqual([[], [], []]);
});
