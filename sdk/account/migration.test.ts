// One person, two identities: a machine that had an account of its own logs in to another.
import { expect, test } from "vitest";
import { toBase64url } from "#protocol/bytes.ts";
import { activeMember } from "#protocol/chain/state.ts";
import { CALLER, createMesh, type Member, ORIGIN, refusedWith } from "#test/mesh.ts";
import { ALICE, accountOf, chainOf, hears, nothing, texts, workspaceOf } from "#test/registered.ts";

const slugs = ({ peer }: Member) => peer.opened().map(({ slug }) => slug);
/** Whoever has spoken with the old identity takes the new one by hand. */
const accepts = async ({ handlers }: Member, peer: string) =>
  handlers.peer.trust({ peer, as: "accepted" }, CALLER, nothing);
const isIn = (member: Member) => {
  const chain = chainOf(member);
  return chain !== null && activeMember(chain, member.peer.account.user) !== undefined;
};

/** alice is registered on her desk; her laptop has an account of its own so far, and a team with bob. */
async function twoIdentities() {
  const mesh = await createMesh();
  const [desk, laptop, bob] = [
    await mesh.person("desk"),
    await mesh.person("laptop"),
    await mesh.person("bob"),
  ];
  await desk.peer.create("personal", ORIGIN);
  await accountOf(desk).register(ALICE, CALLER, nothing);
  await laptop.peer.create("personal", null);
  await mesh.team(laptop, bob);
  return { mesh, desk, laptop, bob };
}

test("its workspaces come along by signed entries, with all that was said; an empty personal is dropped", async () => {
  const { desk, laptop, bob } = await twoIdentities();
  await bob.send("laptop", "before, for you");
  await bob.send("*", "before, for all");
  await laptop.send("bob", "before, from you");
  await hears(laptop, "before, for all");
  await hears(bob, "before, from you");
  const old = laptop.peer.account.user;
  const { workspaces } = await accountOf(laptop).login(ALICE, CALLER, nothing);
  expect(laptop.peer.account.user).toBe(desk.peer.account.user);
  expect(workspaces.toSorted()).toEqual(["acme", "personal"]);
  await bob.until(() => chainOf(bob)?.members.get(old)?.became === desk.peer.account.user, "the news");
  expect(chainOf(bob)?.owner).toBe(desk.peer.account.user);

  await laptop.until(() => isIn(laptop), "the heir's membership");
  const namesOf = (member: Member) => [...(workspaceOf(member)?.names().values() ?? [])];
  await bob.until(() => namesOf(bob).includes("desk"), "the heir's name");
  expect((await texts(laptop)).toSorted()).toEqual(["before, for all", "before, for you"]);
  await accepts(bob, "desk");
  await bob.send("desk", "after");
  await hears(laptop, "after");
  await laptop.send("bob", "after, from you");
  await hears(bob, "after, from you");
  const { messages } = await bob.handlers.message.history({ with: "desk" }, CALLER, nothing);
  expect(messages.map(({ text }) => text)).toEqual([
    "before, for you",
    "before, from you",
    "after",
    "after, from you",
  ]);

  // The account's other machine is in by itself, and reads what was said to all before.
  await desk.until(() => slugs(desk).includes("acme"), "the workspace");
  await hears(desk, "after");
  await hears(desk, "before, for all");
  expect(
    [desk, laptop, bob].flatMap((member) =>
      member.peer
        .opened()
        .flatMap(({ workspace }) => workspace.replica.db.sql("SELECT code FROM refusals").all()),
    ),
  ).toEqual([]);
});

test("notes of one's own come along too, under another name", async () => {
  const { desk, laptop } = await twoIdentities();
  await laptop.handlers.message.send({ to: "me", text: "my note", workspace: "personal" }, CALLER, nothing);
  await accountOf(laptop).login(ALICE, CALLER, nothing);
  expect(slugs(laptop).toSorted()).toEqual(["acme", "personal", "personal-2"]);
  const ids = (member: Member) => member.peer.opened().map(({ slug, workspace: { id } }) => `${slug} ${id}`);
  await desk.until(() => slugs(desk).length === 3, "all three");
  expect(ids(desk).toSorted()).toEqual(ids(laptop).toSorted());
});

test("what can't come along keeps the login from happening; nothing is lost", async () => {
  const { desk, laptop, bob } = await twoIdentities();
  const old = laptop.peer.account.user;
  laptop.toBroker = () => [];
  laptop.cut();
  await laptop.until(() => workspaceOf(laptop)?.link() !== "online", "the broken link");
  laptop.toBroker = (frame) => (typeof frame === "string" && frame.includes('"hello"') ? [] : [frame]);
  const login = accountOf(laptop).login(ALICE, CALLER, nothing);
  expect(await refusedWith(login)).toBe("refused");
  expect([laptop.peer.account.user, slugs(laptop)]).toEqual([old, ["personal", "acme"]]);
  laptop.toBroker = (frame) => [frame];
  laptop.cut();
  await bob.send("laptop", "still here?");
  await hears(laptop, "still here?");
  expect(desk.peer.account.user).not.toBe(old);
}, 30_000);

test("an identity whose key was made elsewhere takes the machine over", async () => {
  const { laptop, bob } = await twoIdentities();
  const root = new Uint8Array(32).fill(7);
  await bob.send("laptop", "before");
  await hears(laptop, "before");
  const { userId, workspaces } = await accountOf(laptop).migrate(
    { root: toBase64url(root) },
    CALLER,
    nothing,
  );
  expect(laptop.peer.account.user).toBe(userId);
  expect(workspaces.toSorted()).toEqual(["acme", "personal"]);
  await bob.until(() => activeMember(chainOf(bob) ?? neverChain(), userId) !== undefined, "the heir");
  await laptop.send("bob", "as another");
  await hears(bob, "as another");
  await accepts(bob, "laptop");
  await bob.send("laptop", "so it is");
  await hears(laptop, "so it is");
  expect(
    await refusedWith(accountOf(laptop).migrate({ root: toBase64url(root.subarray(1)) }, CALLER, nothing)),
  ).toBe("bad_data");
});

function neverChain(): never {
  throw new Error("bob has a chain");
}
