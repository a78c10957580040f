// A person with several machines, one of which is lost.
import { expect, test } from "vitest";
import { isIn } from "#protocol/chain/state.ts";
import { CALLER, createMesh, type Member, type Mesh, refusedWith } from "#test/mesh.ts";
import {
  ALICE,
  accountOf,
  chainOf,
  devicesOf,
  hears,
  nothing,
  PASSPHRASE,
  texts,
  workspaceOf,
} from "#test/registered.ts";
import { currentSeed } from "./account.ts";

const seedOf = ({ peer }: Member) => currentSeed(peer.account);
const memberOf = (member: Member, user: string) => chainOf(member)?.members.get(user);

/** Another machine of alice's: a person of its own until it logs in. */
async function machine(mesh: Mesh, alice: Member, device: string): Promise<Member> {
  const member = await mesh.person(device);
  await accountOf(member).login(ALICE, CALLER, nothing);
  expect(member.peer.account.user).toBe(alice.peer.account.user);
  const isThere = () => isIn(chainOf(member)?.devices.get(member.peer.account.device.id));
  await member.until(isThere, `${device}'s device entry`);
  await member.until(() => workspaceOf(member)?.names().size === 2, "the names");
  return member;
}

async function team() {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  await accountOf(alice).register(ALICE, CALLER, nothing);
  const [desk, laptop] = [await machine(mesh, alice, "desk"), await machine(mesh, alice, "laptop")];
  return { mesh, alice, bob, desk, laptop };
}

const revoke = (by: Member, lost: Member, passphrase = PASSPHRASE) =>
  devicesOf(by).revoke({ device: lost.peer.account.device.id, passphrase }, CALLER, nothing);

test("a lost machine is shut out at home and in each workspace; the others get the new keys by themselves", async () => {
  const { alice, bob, desk, laptop } = await team();
  const { user } = alice.peer.account;
  const old = seedOf(alice);
  expect(await refusedWith(revoke(alice, laptop, "not the passphrase"))).toBe("wrong_passphrase");
  const { revoked, waiting } = await revoke(alice, laptop);
  expect(revoked.map(({ id }) => id)).toEqual([laptop.peer.account.device.id]);
  expect(waiting).toEqual([]);

  expect(seedOf(alice).number).toBe(old.number + 1);
  await desk.until(() => seedOf(desk).number === seedOf(alice).number, "the new seed");
  expect(seedOf(desk).secret).toEqual(seedOf(alice).secret);
  await bob.until(() => memberOf(bob, user)?.seed === seedOf(alice).number, "alice's new key");
  await bob.until(
    () => chainOf(bob)?.stale === false && (chainOf(bob)?.epochs.at(-1)?.number ?? 0) > 0,
    "the new epoch",
  );
  await laptop.until(() => workspaceOf(laptop)?.trouble()?.code === "device_revoked", "the end");

  const seen = await texts(laptop);
  await bob.send("*", "among us");
  await bob.send("alice", "for alice");
  for (const text of ["among us", "for alice"]) {
    await hears(alice, text);
    await hears(desk, text);
  }
  await desk.send("bob", "from the desk");
  await hears(bob, "from the desk");
  expect(await texts(laptop)).toEqual(seen);
  expect(seedOf(laptop).number).toBe(old.number);
  await laptop.until(() => laptop.peer.sync.trouble()?.code === "device_revoked", "the account's door");
  expect([alice, bob, desk].flatMap((member) => member.refusals())).toEqual([]);

  // Whoever has the passphrase comes in on that machine again, as another device.
  const before = laptop.peer.account.device.id;
  await accountOf(laptop).login(ALICE, CALLER, nothing);
  expect(laptop.peer.account.device.id).not.toBe(before);
  await hears(laptop, "for alice");
});

test("a workspace out of reach hears of it when its broker is there again, after a restart too", async () => {
  const { mesh, alice, bob, laptop } = await team();
  alice.toBroker = () => [];
  alice.cut();
  await alice.until(() => workspaceOf(alice)?.link() !== "online", "the broken link");
  const { waiting } = await revoke(alice, laptop);
  expect(waiting).toEqual(["acme"]);
  expect(chainOf(bob)?.stale).toBe(false);
  await alice.stop();
  const again = await mesh.person("alice");
  await bob.until(() => chainOf(bob)?.members.get(alice.peer.account.user)?.seed === 1, "alice's new key");
  await laptop.until(() => workspaceOf(laptop)?.trouble()?.code === "device_revoked", "the end");
  await again.send("bob", "back");
  await hears(bob, "back");
});

test("new keys without a loss: everything old stays readable, everything new is under the new ones", async () => {
  const { alice, bob, desk, laptop } = await team();
  await bob.send("alice", "before");
  await hears(desk, "before");
  const done = await accountOf(desk).rotate({ passphrase: PASSPHRASE }, CALLER, nothing);
  expect(done).toEqual({ seed: 1, waiting: [] });
  for (const member of [alice, laptop]) await member.until(() => seedOf(member).number === 1, "the new seed");
  await bob.until(() => memberOf(bob, alice.peer.account.user)?.seed === 1, "the new key");
  await bob.send("alice", "after");
  for (const member of [alice, desk, laptop]) {
    await hears(member, "after");
    expect(await texts(member)).toEqual(["before", "after"]);
    expect(member.refusals()).toEqual([]);
  }
});

test("an account on one machine alone renews its keys without a passphrase", async () => {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  expect(await accountOf(alice).rotate({}, CALLER, nothing)).toEqual({ seed: 1, waiting: [] });
  await bob.send("alice", "hello");
  await hears(alice, "hello");
  expect(memberOf(bob, alice.peer.account.user)?.seed).toBe(1);
});

test("two machines that renew at once end with the same keys", async () => {
  const { alice, bob, desk } = await team();
  const renewals = [alice, desk].map((one) =>
    accountOf(one).rotate({ passphrase: PASSPHRASE }, CALLER, nothing),
  );
  await Promise.all(renewals);
  for (const member of [alice, desk]) await member.until(() => seedOf(member).number === 2, "the newer seed");
  expect(seedOf(alice).secret).toEqual(seedOf(desk).secret);
  await bob.until(() => memberOf(bob, alice.peer.account.user)?.seed === 2, "the newer key");
  await bob.send("alice", "hello");
  await hears(alice, "hello");
  await hears(desk, "hello");
});
