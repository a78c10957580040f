// A machine comes in by a code that another one shows.
import { expect, test } from "vitest";
import { isIn } from "#protocol/chain/state.ts";
import { CALLER, createMesh, type Member, ORIGIN, refusedWith } from "#test/mesh.ts";
import { ALICE, accountOf, devicesOf, hears, nothing, PASSPHRASE, workspaceOf } from "#test/registered.ts";
import { currentSeed } from "./account.ts";

const pair = (member: Member, code: string) => accountOf(member).pair({ code }, CALLER, nothing);

/** The code, and what becomes of it. */
function offer(by: Member) {
  const code = Promise.withResolvers<string>();
  const paired = devicesOf(by).add({}, CALLER, (event) => code.resolve(event.code));
  return { code: code.promise, paired: Promise.resolve(paired) };
}

async function paired(by: Member, machine: Member): Promise<void> {
  const { code, paired: done } = offer(by);
  await pair(machine, await code);
  expect((await done).id).toBe(machine.peer.account.device.id);
  const device = () => workspaceOf(machine)?.chain()?.devices.get(machine.peer.account.device.id);
  await machine.until(() => isIn(device()), "its device entry");
}

async function team() {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  await accountOf(alice).register(ALICE, CALLER, nothing);
  return { mesh, alice, bob };
}

test("the new machine has the account without a passphrase: its keys, its workspaces, what was said", async () => {
  const { mesh, alice, bob } = await team();
  await bob.send("alice", "before");
  await hears(alice, "before");
  const desk = await mesh.person("desk");
  await desk.peer.create("personal", null);
  await paired(alice, desk);
  expect(desk.peer.account.user).toBe(alice.peer.account.user);
  expect(currentSeed(desk.peer.account)).toEqual(currentSeed(alice.peer.account));
  expect(desk.peer.opened().map(({ slug }) => slug)).toEqual(["acme"]);
  await hears(desk, "before");
  await desk.send("bob", "from the desk");
  await hears(bob, "from the desk");
  const { devices } = await devicesOf(alice).list({}, CALLER, nothing);
  expect(devices.map(({ name, pairedBy }) => [name, pairedBy])).toEqual([
    ["test", null],
    ["test", "test"],
  ]);
});

test("what was paired falls with the machine that paired it, however far down", async () => {
  const { mesh, alice, bob } = await team();
  const [desk, tablet] = [await mesh.person("desk"), await mesh.person("tablet")];
  const laptop = await mesh.person("laptop");
  await accountOf(laptop).login(ALICE, CALLER, nothing);
  await paired(laptop, desk);
  await paired(desk, tablet);
  const { revoked } = await devicesOf(alice).revoke(
    { device: laptop.peer.account.device.id, passphrase: PASSPHRASE },
    CALLER,
    nothing,
  );
  expect(revoked).toHaveLength(3);
  for (const lost of [laptop, desk, tablet]) {
    await lost.until(() => workspaceOf(lost)?.trouble()?.code === "device_revoked", "the end");
  }
  await bob.send("alice", "among us");
  await hears(alice, "among us");
  // What it certifies now is worth nothing, at home and in the workspace.
  const thief = await mesh.person("thief");
  const { code, paired: done } = offer(tablet);
  expect(await refusedWith(pair(thief, await code))).toBe("device_revoked");
  await done;
});

test("a code is good once, and only the right one opens anything", async () => {
  const { mesh, alice } = await team();
  const [desk, thief] = [await mesh.person("desk"), await mesh.person("thief")];
  const { code, paired: done } = offer(alice);
  await pair(desk, (await code).toLowerCase().replaceAll("-", " "));
  await done;
  expect(await refusedWith(pair(thief, await code))).toBe("conflict");
  expect(await refusedWith(pair(thief, "7ZK3M-0QF5T"))).toBe("bad_data");
  expect(thief.peer.account.user).not.toBe(alice.peer.account.user);
});

test("a machine with an account of its own that isn't empty keeps it", async () => {
  const { mesh, alice } = await team();
  const desk = await mesh.person("desk");
  await desk.peer.create("own", ORIGIN);
  const known = async () => (await devicesOf(alice).list({}, CALLER, nothing)).devices.length;
  const { code } = offer(alice);
  expect(await refusedWith(pair(desk, await code))).toBe("refused");
  expect(desk.peer.account.user).not.toBe(alice.peer.account.user);
  expect(await known()).toBe(1);
  // The code is as good as before: whoever asked for it isn't done yet.
  const fresh = await mesh.person("fresh");
  await pair(fresh, await code);
  expect(await known()).toBe(2);
  expect(await refusedWith(pair(fresh, await code))).toBe("conflict");
});

test("an account of one machine alone has nothing to pair with", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  expect(await refusedWith(offer(alice).paired)).toBe("not_registered");
});
