// What the membership chain means for people: who is told what, by every daemon alike.
import { expect, test } from "vitest";
import { CALLER, createMesh, invite, type Member } from "#test/mesh.ts";

const inbox = async (member: Member, options: { unread?: boolean; markRead?: boolean } = {}) =>
  (await member.handlers.message.inbox(options, CALLER, () => {})).notices;
const told = async (member: Member) => (await inbox(member)).map(({ text }) => text);

async function three() {
  const mesh = await createMesh();
  const [alice, bob, carol] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("carol"),
  ];
  await mesh.team(alice, bob, carol);
  const isNamed = async () => (await told(bob)).join().includes("carol");
  await bob.until(isNamed, "carol's name at bob's");
  return { mesh, alice, bob, carol };
}

test("a newcomer is announced to everyone, with by whom and how; and isn't told what was before", async () => {
  const { alice, bob, carol } = await three();
  const carolJoined = "carol joined, invited by alice (link)";
  expect(await told(alice)).toEqual(["bob joined, invited by alice (link)", carolJoined]);
  expect(await told(bob)).toEqual([carolJoined]);
  expect(await told(carol)).toEqual([]);
});

test("roles, removals and leaving are told to those whom they concern, and not to who did them", async () => {
  const { alice, bob, carol } = await three();
  await alice.handlers.workspace.role({ member: "bob", role: "admin" }, CALLER, () => {});
  await bob.until(async () => (await told(bob)).length === 2, "bob's new role");
  await bob.handlers.workspace.remove({ member: "carol" }, CALLER, () => {});
  await alice.until(async () => (await told(alice)).length === 3, "carol's removal");
  await bob.handlers.workspace.leave({ workspace: "acme" }, CALLER, () => {});
  await alice.until(async () => (await told(alice)).length === 4, "bob's leaving");

  expect((await told(alice)).slice(2)).toEqual(["bob removed carol", "bob left"]);
  expect((await told(carol))[0]).toBe("alice made bob admin instead of member");
  const removed = (await inbox(alice))[2];
  expect(removed).toMatchObject({
    kind: "removed",
    workspace: "acme",
    member: { id: carol.peer.account.user, name: "carol" },
    by: { id: bob.peer.account.user, name: "bob" },
  });
});

test("how somebody came is told: without anybody's help, too", async () => {
  const { mesh, alice, bob } = await three();
  const { url } = await alice.handlers.invite.create({ unattended: true }, CALLER, () => {});
  const dora = await mesh.person("dora");
  await dora.handlers.invite.accept({ url }, CALLER, () => {});
  const isTold = async () => (await told(bob)).includes("dora joined, invited by alice (unattended)");
  await bob.until(isTold, "dora's coming");
});

test("what is marked as read stays so, over a restart and when the index is made anew", async () => {
  const { mesh, alice } = await three();
  expect(await inbox(alice, { unread: true, markRead: true })).toHaveLength(2);
  expect(await inbox(alice, { unread: true })).toEqual([]);
  const before = await inbox(alice);
  // Another version of the tables: all of them are dropped and made from chain and records.
  alice.opened().workspace.replica.setMeta("indexes", "another version's");
  await alice.stop();
  const again = await mesh.person("alice");
  expect(await inbox(again)).toEqual(before);
  expect(before.map(({ read }) => read)).toEqual([true, true]);
});

test("they come with the messages as they happen", async () => {
  const { mesh, alice, bob } = await three();
  const heard: unknown[] = [];
  await bob.handlers.message.tail({}, CALLER, (event) => heard.push(event));
  const dora = await mesh.person("dora");
  await invite(alice, dora);
  await bob.until(() => heard.length > 0, "the notice");
  expect(heard).toMatchObject([{ notice: { kind: "joined", member: { id: dora.peer.account.user } } }]);
});
