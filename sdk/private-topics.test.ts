// Private topics: who is in reads all of it, who isn't reads nothing, whatever happens in between.
import { copyFileSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { utf8 } from "#protocol/bytes.ts";
import { labelContentKey, recordKey } from "#protocol/derive.ts";
import { decodeRecordFrame, encodeRecordFrame } from "#protocol/frames.ts";
import {
  decodeRecord,
  encodeHeader,
  encodeRecord,
  type Header,
  recordHash,
  recordSignatureInput,
} from "#protocol/record.ts";
import { sealBody } from "#protocol/seal.ts";
import { CALLER, createMesh, invite, type Member, refusedWith } from "#test/mesh.ts";

const none = () => {};

const say = (member: Member, topic: string, text: string) =>
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

const add = (member: Member, topic: string, ...members: string[]) =>
  member.handlers.topic.add({ topic, members }, CALLER, none);

const remove = (member: Member, topic: string, ...members: string[]) =>
  member.handlers.topic.remove({ topic, members }, CALLER, none);

function rosterOf(member: Member) {
  const [roster] = member.opened().workspace.topics.rosters();
  if (!roster) throw new Error(`${member.name} is in no private topic`);
  return roster;
}

const generationAt = (member: Member) => rosterOf(member).generation;

/** Off the net until the answer is called. */
function away(member: Member): () => void {
  member.toBroker = () => [];
  member.toDevice = () => [];
  member.cut();
  return () => {
    member.toBroker = (frame) => [frame];
    member.toDevice = (frame) => [frame];
    member.cut();
  };
}

/** In the place of what the member sends next stands a record of its device's own making. */
async function forge(
  member: Member,
  changes: Partial<Header> & Pick<Header, "to">,
  key: Uint8Array,
  event: object,
): Promise<string> {
  const { workspace } = member.opened();
  const { account, ports } = member.peer;
  const chain = workspace.chain();
  const next = await new Promise<Header>((resolve) => {
    member.toBroker = (frame) => {
      if (typeof frame === "string") return [frame];
      resolve(decodeRecord(decodeRecordFrame(frame).record).header);
      return [];
    };
    member.send("*", "replaced on its way").catch(() => {});
  });
  const header: Header = { ...next, head: chain?.head ?? null, ...changes, from: account.user };
  const headerBytes = encodeHeader(header);
  const content = labelContentKey(key, header.to);
  const body = sealBody(
    recordKey(content, workspace.id, headerBytes),
    utf8(JSON.stringify(event)),
    ports.random,
  );
  const signature = await nodeCurves.sign(
    account.device.secret,
    recordSignatureInput(workspace.id, headerBytes, body),
  );
  const record = encodeRecord(headerBytes, signature, body);
  const committed = new Promise<void>((resolve) => {
    member.toDevice = (frame) => {
      if (typeof frame === "string" && frame.includes(header.id)) resolve();
      return [frame];
    };
  });
  member.toBroker = (frame) => {
    if (typeof frame === "string") return [frame];
    const { outer } = decodeRecordFrame(frame);
    return [encodeRecordFrame(outer, record)];
  };
  member.cut();
  await committed;
  member.toBroker = (frame) => [frame];
  return recordHash(record);
}

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
  const nameOf = async (member: Member, other: Member) =>
    (await member.handlers.peer.list({}, CALLER, none)).peers.find(
      (one) => one.member === other.peer.account.user,
    )?.name;
  await alice.until(async () => (await nameOf(alice, gina)) === "gina", "the guest's name");
  await gina.until(async () => (await nameOf(gina, alice)) === "alice", "the host's name");
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

test("a guest's words to everyone, topics for everyone and groups are refused; direct messages and private topics are not", async () => {
  const { alice, bob, gina } = await four();
  await create(gina, "visit", "alice");
  await say(gina, "visit", "in my own");
  await hears(alice, "visit", "in my own");
  const { group, topic } = gina.handlers;
  expect(await refusedWith(gina.send("*", "hello"))).toBe("not_allowed");
  expect(await refusedWith(gina.send("@backend", "hello"))).toBe("not_allowed");
  expect(await refusedWith(topic.create({ topic: "open" }, CALLER, none))).toBe("not_allowed");
  expect(await refusedWith((async () => group.join({ group: "backend" }, CALLER, none))())).toBe(
    "not_allowed",
  );
  await gina.send("alice", "to you");
  await alice.until(async () => (await alice.inbox()).some(({ text }) => text === "to you"), "the message");
  await alice.send("gina", "and back");
  await gina.until(async () => (await gina.inbox()).length === 1, "the answer");
  const peers = async (member: Member) =>
    (await member.handlers.peer.list({}, CALLER, none)).peers.map(({ name }) => name);
  expect((await peers(alice)).toSorted()).toEqual(["alice", "bob", "carol", "gina"]);
  const shown = await peers(gina);
  expect(shown).toEqual(expect.arrayContaining(["alice", "gina"]));
  expect(shown).not.toEqual(expect.arrayContaining(["bob"]));
  await add(alice, "visit", "bob");
  await gina.until(async () => (await peers(gina)).includes("bob"), "bob's name");
  expect(bob.refusals()).toEqual([]);
});

test("two members who need a new key at once end with one, and nothing is lost", async () => {
  const { alice, bob, carol, gina } = await four();
  await create(alice, "hiring", "bob", "gina");
  await say(alice, "hiring", "before");
  for (const one of [bob, gina]) await hears(one, "hiring", "before");
  const back = [away(alice), away(bob), away(gina)];
  await say(alice, "hiring", "from alice");
  await say(bob, "hiring", "from bob");
  await say(gina, "hiring", "from gina");
  await carol.opened().workspace.propose(async () => ({ type: "leave" }), 5000);
  for (const come of back) come();
  for (const one of [alice, bob, gina])
    for (const text of ["from alice", "from bob", "from gina"]) await hears(one, "hiring", text);
  for (const one of [alice, bob, gina]) expect((await texts(one, "hiring")).length).toBe(4);
  expect(new Set([alice, bob, gina].map(generationAt)).size).toBe(1);
  expect(generationAt(alice)).toBeGreaterThan(0);
  expect([alice, bob, gina].map((one) => one.refusals())).toEqual([[], [], []]);
});

test("what waits in the outbox of who was removed is refused, and the rest of the outbox goes out", async () => {
  const { alice, bob } = await four();
  await create(alice, "hiring", "bob");
  await say(alice, "hiring", "before");
  await hears(bob, "hiring", "before");
  const back = away(bob);
  const { id } = await say(bob, "hiring", "too late");
  await bob.send("alice", "in time");
  await remove(alice, "hiring", "bob");
  await say(alice, "hiring", "after");
  back();
  await alice.until(
    async () => (await alice.inbox()).some(({ text }) => text === "in time"),
    "the other one",
  );
  await bob.until(async () => {
    const { receipts } = await bob.handlers.message.status({ id }, CALLER, none);
    return receipts.at(-1)?.state === "refused";
  }, "the refusal");
  expect(await texts(alice, "hiring")).toEqual(["before", "after"]);
  await add(alice, "hiring", "bob");
  await hears(bob, "hiring", "after");
  await say(bob, "hiring", "in again");
  await hears(alice, "hiring", "in again");
  expect([alice, bob].map((one) => one.refusals())).toEqual([[], []]);
});

test("a member who was away through three keys reads everything, and what it had to say arrives", async () => {
  const { alice, bob, carol } = await four();
  await create(alice, "hiring", "bob", "carol");
  await say(alice, "hiring", "zero");
  await hears(bob, "hiring", "zero");
  const back = away(bob);
  await say(bob, "hiring", "from the plane");
  for (const text of ["one", "two", "three"]) {
    await remove(alice, "hiring", "carol");
    await add(alice, "hiring", "carol");
    await say(alice, "hiring", text);
  }
  back();
  await hears(alice, "hiring", "from the plane");
  for (const text of ["one", "two", "three"]) await hears(bob, "hiring", text);
  await hears(carol, "hiring", "from the plane");
  expect(generationAt(bob)).toBe(3);
  expect([alice, bob, carol].map((one) => one.refusals())).toEqual([[], [], []]);
});

test("who leaves hears nothing more, and the next who speaks has another key", async () => {
  const { alice, bob, carol } = await four();
  await create(alice, "hiring", "bob", "carol");
  await say(alice, "hiring", "before");
  await hears(bob, "hiring", "before");
  await bob.handlers.topic.leave({ topic: "hiring" }, CALLER, none);
  expect(await names(bob)).toEqual([]);
  await alice.until(async () => (await membersOf(alice, "hiring"))?.length === 2, "bob to be out");
  const left = generationAt(alice);
  await say(alice, "hiring", "after");
  await hears(carol, "hiring", "after");
  expect(generationAt(carol)).toBe(left + 1);
});

test("only the founder, and the workspace's owner and admins who are in, remove others", async () => {
  const { alice, bob, carol } = await four();
  await create(bob, "hiring", "carol", "alice");
  await carol.until(async () => (await names(carol)).includes("hiring"), "the topic");
  expect(await refusedWith(remove(carol, "hiring", "bob"))).toBe("not_allowed");
  await alice.until(async () => (await names(alice)).includes("hiring"), "the topic");
  await remove(alice, "hiring", "carol");
  await bob.until(async () => (await membersOf(bob, "hiring"))?.length === 2, "carol to be out");
  expect(await refusedWith(add(alice, "hiring", "nobody"))).toBe("unknown_address");
});

test("what somebody says who isn't in is refused and named, and so is a roster by them; the next who speaks repairs it", async () => {
  const { alice, bob, carol, gina } = await four();
  await create(alice, "hiring", "bob", "carol");
  await say(alice, "hiring", "before");
  for (const one of [bob, carol]) await hears(one, "hiring", "before");
  const old = rosterOf(carol);
  await remove(alice, "hiring", "carol");
  await bob.until(() => generationAt(bob) === 1, "the new key");
  const newest = alice.opened().workspace.replica.guards(old.label).at(-1)?.bytes;
  if (!newest) throw new Error("alice has the roster");
  const put = {
    key: old.label,
    version: 3,
    expect: recordHash(newest),
    own: false,
    ttl: null,
    tombstone: false,
  };
  const members = { [carol.peer.account.user]: "carol" };
  const roster = { kind: "topic.roster", name: "hiring", members };
  await forge(carol, { to: old.label, n: 0, kid: "2", put }, old.key, roster);
  await bob.until(() => bob.refusals().includes("not_in_topic"), "the refusal");
  await forge(carol, { to: old.label, n: 1, kid: "2" }, old.key, { kind: "void" });
  await bob.until(() => bob.refusals().length === 2, "the second refusal");
  expect(bob.refusals()).toEqual(["not_in_topic", "not_in_topic"]);
  await say(bob, "hiring", "among us");
  await hears(alice, "hiring", "among us");
  expect([generationAt(alice), generationAt(bob)]).toEqual([3, 3]);
  const { workspaces } = await bob.handlers.audit.show({}, CALLER, none);
  expect(workspaces[0]?.findings.map(({ detail }) => detail).join()).toContain("not_in_topic");
  // Who comes later judges the same, from what the broker keeps.
  await add(alice, "hiring", "gina");
  await hears(gina, "hiring", "among us");
  expect(rosterOf(gina).members.has(carol.peer.account.user)).toBe(false);
});

test("daemon and broker restart: topics, keys and rosters are as they were", async () => {
  const { mesh, alice, bob, carol } = await four();
  await create(alice, "hiring", "bob");
  await remove(alice, "hiring", "bob");
  await add(alice, "hiring", "carol");
  await say(alice, "hiring", "before");
  await hears(carol, "hiring", "before");
  await mesh.restartBroker();
  await alice.stop();
  await bob.stop();
  const again = await mesh.person("alice");
  expect(await membersOf(again, "hiring")).toEqual(["alice", "carol"]);
  await say(again, "hiring", "after");
  await hears(carol, "hiring", "after");
  const out = await mesh.person("bob");
  expect(await names(out)).toEqual([]);
  expect([again, carol].map((one) => one.refusals())).toEqual([[], []]);
});

test("another device of a member has the topic, its history and its keys", async () => {
  const { mesh, alice, bob } = await four();
  await create(alice, "hiring", "bob");
  await say(alice, "hiring", "before");
  await hears(bob, "hiring", "before");
  await remove(alice, "hiring", "bob");
  await add(alice, "hiring", "bob");
  await say(alice, "hiring", "again");
  await hears(bob, "hiring", "again");
  const { id, broker } = bob.opened().workspace;
  const other = await mesh.person("bob", "bob's other");
  await other.peer.add(id, broker ?? "", null);
  await hears(other, "hiring", "again");
  expect(await texts(other, "hiring")).toEqual(["before", "again"]);
  await say(other, "hiring", "from the other");
  await hears(bob, "hiring", "from the other");
});

test("a broker restored from a backup: who was removed meanwhile stays out, who was added stays in", async () => {
  const { mesh, alice, bob, carol, gina } = await four();
  await create(alice, "hiring", "bob", "carol");
  await say(alice, "hiring", "one");
  for (const one of [bob, carol]) await hears(one, "hiring", "one");
  await mesh.restartBroker((path) => copyFileSync(path, `${path}.backup`));
  await remove(alice, "hiring", "bob");
  await add(alice, "hiring", "gina");
  await say(alice, "hiring", "two");
  await hears(gina, "hiring", "two");
  await hears(carol, "hiring", "two");
  await mesh.restartBroker((path) => {
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    copyFileSync(`${path}.backup`, path);
  });
  await say(carol, "hiring", "three");
  await say(alice, "hiring", "four");
  for (const text of ["two", "three", "four"]) {
    await hears(gina, "hiring", text);
    await hears(alice, "hiring", text);
    await hears(carol, "hiring", text);
  }
  await bob.until(async () => (await names(bob)).length === 0, "bob to be out");
  expect((await membersOf(carol, "hiring"))?.toSorted()).toEqual(["alice", "carol", "gina"]);
});
