// Whom a name stands for: what is known, what is compared by hand, and what is held back when another key comes.
import { expect, test } from "vitest";
import { CALLER, createMesh, invite, type Member, ORIGIN, refusedWith } from "#test/mesh.ts";
import { accountHandlers } from "../features/account.ts";

const LOGIN = { broker: ORIGIN, email: "me@example.org", passphrase: "correct horse battery staple" };
const nothing = () => {};
const userOf = ({ peer }: Member) => peer.account.user;
const accountOf = ({ peer }: Member) => accountHandlers(peer, { given: ORIGIN, embedded: null });

const peerOf = async (member: Member, of: Member) =>
  (await member.handlers.peer.list({}, CALLER, nothing)).peers.find((one) => one.member === userOf(of));
const nameOf = async (member: Member, of: Member) => (await peerOf(member, of))?.name;
const verify = async (member: Member, peer: string) => member.handlers.peer.verify({ peer }, CALLER, nothing);
const trust = (member: Member, peer: string, as: "verified" | "accepted" | "unverified") =>
  member.handlers.peer.trust({ peer, as }, CALLER, nothing);

async function rename(member: Member, name: string): Promise<void> {
  member.peer.person.document.set("name", "", { name });
  await member.peer.follow();
}

/** From now on `member` is shown to `to` as `name`. */
async function comesToBe(member: Member, name: string, shown: string, ...to: readonly Member[]) {
  await rename(member, name);
  for (const one of to)
    await one.until(async () => (await nameOf(one, member)) === shown, `${name} as ${shown}`);
}

async function exchange(from: Member, to: Member, name: string): Promise<void> {
  const { id } = await from.send(name, "hello");
  await to.until(async () => (await to.inbox()).some((one) => one.id === id), "the message");
}

async function three() {
  const mesh = await createMesh();
  const [bob, alice, mallory] = [
    await mesh.person("bob"),
    await mesh.person("alice"),
    await mesh.person("mallory"),
  ];
  return { mesh, bob, alice, mallory };
}

test("both see one safety number, which outlasts a new seed; marks are each one's own", async () => {
  const { mesh, bob, alice } = await three();
  await mesh.team(bob, alice);
  const mine = await verify(bob, "alice");
  const theirs = await verify(alice, "bob");
  expect(mine.digits).toEqual(theirs.digits);
  expect(mine.words).toEqual(theirs.words);
  expect(mine).toMatchObject({ member: userOf(alice), name: "alice", workspace: "acme", verified: false });
  expect(await refusedWith(verify(bob, "me"))).toBe("usage");

  await exchange(alice, bob, "bob");
  expect((await bob.inbox())[0]?.from.verified).toBe(false);
  await trust(bob, "alice", "verified");
  expect((await bob.inbox())[0]?.from).toMatchObject({ verified: true, keyChanged: null });
  expect(await peerOf(bob, alice)).toMatchObject({ verified: true, keyChanged: null });
  expect(await peerOf(alice, bob)).toMatchObject({ verified: false });

  await accountOf(alice).rotate({}, CALLER, nothing);
  expect((await verify(bob, "alice")).digits).toEqual(mine.digits);
  expect((await verify(bob, "alice")).verified).toBe(true);
  await trust(bob, "alice", "unverified");
  expect((await verify(bob, "alice")).verified).toBe(false);
  await bob.send("alice", "still the same key");
});

test("a name that comes to stand for another key is held back until that is accepted", async () => {
  const { mesh, bob, alice, mallory } = await three();
  await mesh.team(bob, mallory, alice);
  await exchange(bob, alice, "alice");
  await exchange(mallory, bob, "bob");
  // Who came first has the name: mallory takes alice's.
  await comesToBe(mallory, "alice", "alice", bob);
  expect(await nameOf(bob, alice)).toBe("alice-2");

  for (const to of ["alice", "alice/*"])
    expect(await refusedWith(bob.send(to, "secret"))).toBe("key_changed");
  const role = bob.handlers.workspace.role({ member: "alice", role: "admin" }, CALLER, nothing);
  expect(await refusedWith(role)).toBe("key_changed");
  const topic = { topic: "secret", private: true, members: ["alice"] };
  expect(await refusedWith(bob.handlers.topic.create(topic, CALLER, nothing))).toBe("key_changed");
  await bob.handlers.topic.create({ ...topic, members: [] }, CALLER, nothing);
  expect(await refusedWith(bob.handlers.topic.add(topic, CALLER, nothing))).toBe("key_changed");
  const instead = { member: userOf(alice), name: "alice", verified: false };
  expect(await peerOf(bob, mallory)).toMatchObject({ verified: false, keyChanged: instead });
  // Nor does it become known by writing to me.
  await exchange(mallory, bob, "bob");
  const { from } = (await bob.inbox()).at(-1) ?? {};
  expect(from).toMatchObject({ name: "alice", keyChanged: instead });
  expect(await refusedWith(bob.send("alice", "secret"))).toBe("key_changed");

  // The real one is there under her new name, and everybody is written to as before.
  await exchange(bob, alice, "alice-2");
  await bob.send("*", "for all");
  await bob.handlers.topic.create({ topic: "deploys" }, CALLER, nothing);
  await bob.handlers.topic.send({ topic: "deploys", text: "@alice look" }, CALLER, nothing);

  await trust(bob, "alice", "accepted");
  expect(await peerOf(bob, mallory)).toMatchObject({ verified: false, keyChanged: null });
  await exchange(bob, mallory, "alice");
});

test("a mark of one key is none of the next, and says so", async () => {
  const { mesh, bob, alice, mallory } = await three();
  await mesh.team(bob, mallory, alice);
  await trust(bob, "alice", "verified");
  await trust(bob, "mallory", "verified");
  await comesToBe(mallory, "alice", "alice", bob);
  expect(await verify(bob, "alice")).toMatchObject({
    member: userOf(mallory),
    verified: false,
    keyChanged: { member: userOf(alice), verified: true },
  });
  const said = await bob.send("alice", "secret").then(String, (error) => `${error.message} ${error.hint}`);
  expect(said).toBe(
    '"alice" has another key than the alice that you verified. Compare: claudemesh peer verify alice; or take it as it is: claudemesh peer verify alice --accept',
  );
  // What was compared by hand before stays so once the name is taken as it is.
  expect(await trust(bob, "alice", "accepted")).toMatchObject({ verified: true, keyChanged: null });
});

test("who comes after somebody has gone, under the same name, is held back; the next first contact isn't", async () => {
  const { mesh, bob, alice, mallory } = await three();
  await mesh.team(bob, alice);
  await exchange(alice, bob, "bob");
  await alice.handlers.workspace.leave({ workspace: "acme" }, CALLER, nothing);
  await bob.until(async () => (await nameOf(bob, alice)) === undefined, "alice's leave");
  await rename(mallory, "alice");
  await invite(bob, mallory);
  expect(await nameOf(bob, mallory)).toBe("alice-2");
  expect(await refusedWith(bob.send("alice-2", "secret"))).toBe("key_changed");
  await trust(bob, "alice-2", "accepted");
  await exchange(bob, mallory, "alice-2");

  const carol = await mesh.person("carol");
  await invite(bob, carol);
  await exchange(bob, carol, "carol");
});

test("two of one name who were there together are two people, also when one of them leaves", async () => {
  const { mesh, bob, alice, mallory } = await three();
  await mesh.team(bob, alice, mallory);
  await exchange(bob, alice, "alice");
  await comesToBe(mallory, "alice", "alice-2", bob);
  expect(await peerOf(bob, mallory)).toMatchObject({ keyChanged: null });
  await alice.handlers.workspace.leave({ workspace: "acme" }, CALLER, nothing);
  await bob.until(async () => (await nameOf(bob, alice)) === undefined, "alice's leave");
  await exchange(bob, mallory, "alice-2");
});

test("who goes over into another identity isn't verified any more, and is held back; oneself never is", async () => {
  const { mesh, bob, alice, mallory } = await three();
  await mallory.peer.create("personal", ORIGIN);
  await accountOf(mallory).register(LOGIN, CALLER, nothing);
  await alice.peer.create("personal", null);
  await mesh.team(alice, bob);
  await exchange(bob, alice, "alice");
  await exchange(alice, bob, "bob");
  await trust(bob, "alice", "verified");
  const old = userOf(alice);
  await accountOf(alice).login(LOGIN, CALLER, nothing);
  await bob.until(async () => (await nameOf(bob, mallory)) === "mallory", "the heir");

  expect(await peerOf(bob, mallory)).toMatchObject({
    verified: false,
    keyChanged: { member: old, name: "alice", verified: true },
  });
  expect(await refusedWith(bob.send("mallory", "is it you?"))).toBe("key_changed");
  // What the old identity has said was said by the one who was verified.
  expect((await bob.inbox())[0]?.from).toMatchObject({ member: old, verified: true, keyChanged: null });
  await trust(bob, "mallory", "accepted");
  await bob.send("mallory", "so be it");
  await mallory.until(() => mallory.peer.opened().some(({ slug }) => slug === "acme"), "the workspace");
  await mallory.handlers.message.send({ to: "me", text: "note", workspace: "acme" }, CALLER, nothing);
});

test("marks and what names stand for come to one's other machines", async () => {
  const { mesh, bob, alice, mallory } = await three();
  await mesh.team(bob, mallory, alice);
  await exchange(bob, alice, "alice");
  await trust(bob, "mallory", "verified");
  await accountOf(bob).register(LOGIN, CALLER, nothing);
  const other = await mesh.person("other");
  await accountOf(other).login(LOGIN, CALLER, nothing);
  await other.until(async () => (await nameOf(other, alice)) === "alice", "alice's name");
  expect(await peerOf(other, mallory)).toMatchObject({ verified: true });
  await comesToBe(mallory, "alice", "alice", other);
  expect(await refusedWith(other.send("alice", "secret"))).toBe("key_changed");
  await trust(other, "alice", "accepted");
  await bob.until(async () => (await peerOf(bob, mallory))?.keyChanged === null, "the decision");
  await bob.send("alice", "as decided elsewhere");
});
