// Somebody who was removed, with every key that they ever held, against every record that the broker has from then on.
import { expect, test } from "vitest";
import { CALLER, createMesh, invite, type Member } from "#test/mesh.ts";
import { type Held, holdings, keptBy, openEverything } from "#test/open-everything.ts";

const none = () => {};

async function say(member: Member, topic: string, text: string): Promise<void> {
  await member.handlers.topic.send({ topic, text, wait: "stored" }, CALLER, none);
}

async function heard(member: Member, topic: string): Promise<string[]> {
  const { topics } = await member.handlers.topic.list({}, CALLER, none);
  if (!topics.some(({ name }) => name === topic)) return [];
  const { messages } = await member.handlers.topic.history({ topic, limit: 1000 }, CALLER, none);
  return messages.map(({ text }) => text);
}

const hears = (member: Member, topic: string, text: string) =>
  member.until(async () => (await heard(member, topic)).includes(text), `"${text}" at ${member.name}`);

/** alice, bob and mallory, who is a member or a guest, in a private topic that has had three keys. */
async function team(role: "member" | "guest") {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  const mallory = await mesh.person("mallory");
  await invite(alice, mallory, role);
  const isNamed = async () =>
    (await alice.handlers.peer.list({}, CALLER, none)).peers.some(({ name }) => name === "mallory");
  await alice.until(isNamed, "mallory's name");
  const { topic } = alice.handlers;
  await topic.create({ topic: "hiring", private: true, members: ["bob", "mallory"] }, CALLER, none);
  for (const text of ["one", "two"]) {
    await topic.remove({ topic: "hiring", members: ["bob"] }, CALLER, none);
    await topic.add({ topic: "hiring", members: ["bob"] }, CALLER, none);
    await say(alice, "hiring", text);
  }
  await alice.send("mallory", "to you");
  await mallory.until(async () => (await mallory.inbox()).some(({ text }) => text === "to you"), "a message");
  await hears(mallory, "hiring", "two");
  await hears(bob, "hiring", "two");
  return { mesh, alice, bob, mallory };
}

const headOf = (path: string) => Math.max(...keptBy(path).map(({ seq }) => seq));

/** With what it held before the removal, and with what it has made of all that came since. */
async function whole(before: Held, mallory: Member): Promise<Held> {
  const after = await holdings(mallory);
  const { workspace } = before;
  return {
    workspace,
    secrets: [...before.secrets, ...after.secrets],
    pairs: [...before.pairs, ...after.pairs],
  };
}

for (const role of ["member", "guest"] as const) {
  test(`a ${role} who was removed from a private topic opens nothing that is said there afterwards`, async () => {
    const { mesh, alice, bob, mallory } = await team(role);
    const { label } = alice.opened().workspace.topics.rosters()[0] ?? { label: "" };
    const before = await holdings(mallory);
    expect(before.secrets.length).toBeGreaterThanOrEqual(3);
    // The positive control: until now it opens all of the topic, and what is to it.
    const until = keptBy(mesh.path);
    const inTopic = until.filter(({ record }) => record.header.to === label);
    const opened = openEverything(before, until);
    expect(opened.filter(({ to }) => to === label).map(({ seq }) => seq)).toEqual(
      inTopic.map(({ seq }) => seq),
    );
    expect(opened.some(({ text }) => text.includes("to you"))).toBe(true);

    const since = headOf(mesh.path);
    bob.toBroker = () => [];
    bob.cut();
    const waiting = bob.handlers.topic.send({ topic: "hiring", text: "waited" }, CALLER, none);
    await waiting;
    await alice.handlers.topic.remove({ topic: "hiring", members: ["mallory"] }, CALLER, none);
    await say(alice, "hiring", "after");
    bob.toBroker = (frame) => [frame];
    bob.cut();
    await hears(alice, "hiring", "waited");
    await say(bob, "hiring", "and more");
    await mallory.until(async () => (await heard(mallory, "hiring")).length === 0, "mallory to be out");

    const later = keptBy(mesh.path).filter(({ seq }) => seq > since);
    const sent = later.filter(({ record }) => record.header.to === label);
    expect(sent.length).toBeGreaterThanOrEqual(4);
    const read = openEverything(await whole(before, mallory), later);
    expect(read.filter(({ to, text }) => to === label || text.includes("topic.keys"))).toEqual([]);
    // A member that stayed opens all of them.
    expect(openEverything(await holdings(bob), sent).length).toBe(sent.length);
  });

  test(`a ${role} who was removed from the workspace opens nothing that anybody says afterwards`, async () => {
    const { mesh, alice, bob, mallory } = await team(role);
    const before = await holdings(mallory);
    await bob.until(() => bob.opened().workspace.replica.outboxSize() === 0, "bob's words to be placed");
    bob.toBroker = () => [];
    bob.cut();
    await bob.handlers.topic.send({ topic: "hiring", text: "waited" }, CALLER, none);
    await bob.send("*", "waited for all");
    await alice.handlers.workspace.remove({ member: "mallory" }, CALLER, none);
    const removal = alice
      .opened()
      .workspace.replica.chain()
      .findLast(({ seq }) => seq !== null)?.seq;
    await alice.send("*", "to all");
    await alice.send("bob", "to bob");
    await say(alice, "hiring", "after");
    bob.toBroker = (frame) => [frame];
    bob.cut();
    await hears(alice, "hiring", "waited");
    await alice.until(
      async () => (await alice.inbox()).some(({ text }) => text === "waited for all"),
      "bob's word to all",
    );
    await say(bob, "hiring", "and more");

    const later = keptBy(mesh.path).filter(({ seq }) => seq > (removal ?? 0));
    expect(later.length).toBeGreaterThanOrEqual(9);
    expect(openEverything(await whole(before, mallory), later)).toEqual([]);
    // Each of them is somebody's who stayed.
    const [hers, his] = [await holdings(alice), await holdings(bob)];
    const pairs = [...hers.pairs, ...his.pairs];
    expect(openEverything({ ...hers, pairs }, later).length).toBe(later.length);
  });
}
