import { expect, test } from "vitest";
import {
  type AccountHolderDevice,
  type AccountWorld,
  accountWorld,
  loggedIn,
  registered,
} from "#test/account-world.ts";

const FOREIGN = "A".repeat(86);

/** Alice with laptop, phone (paired by it) and tablet. */
async function household(world: AccountWorld) {
  const { holder, laptop, tokens, how } = await registered(world);
  const phone = await holder.device("phone", laptop);
  const phoneTokens = await world.call("enter", await phone.entry(world.time.clock.now()));
  const tablet = await holder.device("tablet");
  const tabletTokens = await loggedIn(world, holder, tablet);
  const sealed = (...devices: AccountHolderDevice[]) =>
    devices.map(({ id }) => ({ device: id, box: "c2VlZA" }));
  return { holder, laptop, tokens, how, phone, phoneTokens, tablet, tabletTokens, sealed };
}

test("a document is kept by whoever knows the version before", async () => {
  const world = await accountWorld();
  const { how } = await registered(world);
  const read = () => world.call("document", { after: 0, waitMs: 0 }, how);
  expect(await read()).toEqual({ version: 0, box: "" });
  const keep = (version: number, box: string) => world.codeOf("keepDocument", { version, box }, how);
  expect(await keep(2, "YQ")).toBe("conflict");
  expect(await keep(0, "YQ")).toBe("conflict");
  expect((await Promise.all([keep(1, "YQ"), keep(1, "Yg")])).toSorted()).toEqual(["accepted", "conflict"]);
  expect((await read()).version).toBe(1);
});

test("who waits for a newer document hears of it at once", async () => {
  const world = await accountWorld();
  const { how } = await registered(world);
  await world.call("keepDocument", { version: 1, box: "YQ" }, how);
  const waits = world.call("document", { after: 1, waitMs: 60_000 }, how);
  await world.begun(60_000);
  await world.call("keepDocument", { version: 2, box: "Yg" }, how);
  expect(await waits).toEqual({ version: 2, box: "Yg" });
});

test("a wait ends with its time, with its asker, and with the broker: the document comes as it is", async () => {
  const world = await accountWorld();
  const { how } = await registered(world);
  const ask = (signal?: AbortSignal) =>
    world.call("document", { after: 0, waitMs: 30_000 }, { ...how, ...(signal && { signal }) });
  const asItIs = { version: 0, box: "" };
  let isThere = false;
  const patient = ask().finally(() => {
    isThere = true;
  });
  await world.begun(30_000);
  await world.time.pass(29_999);
  expect(isThere).toBe(false);
  await world.time.pass(1);
  expect(await patient).toEqual(asItIs);

  const asker = new AbortController();
  const left = ask(asker.signal);
  await world.begun(30_000);
  asker.abort();
  expect(await left).toEqual(asItIs);

  const last = ask();
  await world.begun(30_000);
  await world.stop();
  expect(await last).toEqual(asItIs);
});

test("eight of one account may wait, and leave room when they are through", async () => {
  const world = await accountWorld();
  const { how } = await registered(world);
  const bob = await registered(world, "bob");
  const ask = (by: typeof how) => world.ask("document", { after: 0, waitMs: 1000 }, by);
  const waiting = Array.from({ length: 8 }, () => ask(how));
  await world.begun(1000, 8);
  const ninth = await ask(how);
  expect([ninth.status, ninth.body.error?.code]).toEqual([429, "slow_down"]);
  const other = ask(bob.how);
  await world.begun(1000, 9);
  await world.time.pass(1000);
  for (const answer of [...waiting, other]) expect((await answer).status).toBe(200);
  const again = ask(how);
  await world.begun(1000);
  await world.time.pass(1000);
  expect((await again).status).toBe(200);
});

test("a rotation gives each device its seed, and whoever falls is out at once, waiting or not", async () => {
  const world = await accountWorld();
  const { holder, laptop, how, phone, phoneTokens, tablet, tabletTokens, sealed } = await household(world);
  const watch = await holder.device("watch", phone);
  const watchTokens = await world.call("enter", await watch.entry(world.time.clock.now()));
  const long = { after: 0, waitMs: 60_000 };
  const fallen = world.ask("document", long, { token: phoneTokens.access });
  const staying = world.call("document", long, { token: tabletTokens.access });
  await world.begun(60_000, 2);
  const rotation = await holder.rotation({ revoke: [phone.id], seeds: sealed(tablet, laptop) });
  expect(await world.codeOf("rotate", rotation, how)).toBe("accepted");

  expect((await fallen).body.error?.code).toBe("device_revoked");
  expect(await staying).toEqual(rotation.document);
  const { seeds } = await world.call("seeds", {}, { token: tabletTokens.access });
  expect(seeds).toMatchObject([{ number: 1, by: laptop.id, box: "c2VlZA" }]);
  const { ticket, contents } = await world.call("login", { login: holder.login, key: holder.loginKey });
  expect(contents).toBe(rotation.contents);
  for (const { device, tokens } of [
    { device: phone, tokens: phoneTokens },
    { device: watch, tokens: watchTokens },
  ]) {
    expect(await world.codeOf("devices", {}, { token: tokens.access })).toBe("device_revoked");
    expect(await world.codeOf("refresh", await device.refresh(tokens.refresh))).toBe("device_revoked");
    const entry = await device.entry(world.time.clock.now());
    expect(await world.codeOf("enter", entry, { token: ticket })).toBe("device_revoked");
    expect(await world.codeOf("enter", entry)).toBe("device_revoked");
  }
  const { devices } = await world.call("devices", {}, how);
  expect(devices.filter(({ revoked }) => revoked).map(({ id }) => id)).toEqual([phone.id, watch.id]);
});

test("of two rotations one is too late; one that forgets a device, or removes its own, isn't done", async () => {
  const world = await accountWorld();
  const { holder, laptop, how, phone, tablet, tabletTokens, sealed } = await household(world);
  const all = sealed(laptop, phone, tablet);
  const rotate = async (change: Parameters<typeof holder.rotation>[0], by = how) =>
    world.codeOf("rotate", await holder.rotation(change), by);
  expect(await rotate({ seeds: sealed(phone) })).toBe("conflict");
  expect(await rotate({ seeds: all, number: 2 })).toBe("conflict");
  expect(await rotate({ seeds: all, document: { version: 2, box: "" } })).toBe("conflict");
  expect(await rotate({ seeds: all, revoke: [laptop.id] })).toBe("not_allowed");
  const both = [rotate({ seeds: all }), rotate({ seeds: all }, { token: tabletTokens.access })];
  expect((await Promise.all(both)).toSorted()).toEqual(["accepted", "conflict"]);
});

test("passphrase and recovery code change by the root's word, and the old ones open nothing", async () => {
  const world = await accountWorld();
  const { holder, how } = await registered(world);
  const key = `${"B".repeat(42)}A`;
  const login = async (by: string) => world.ask("login", { login: holder.login, key: by });
  const passphrase = { loginKey: key, vault: "bmV3", proof: await holder.change("passphrase", key, "bmV3") };
  const recovery = {
    recoveryKey: key,
    recovery: "bmV3",
    proof: await holder.change("recovery", key, "bmV3"),
  };

  const swapped = { ...passphrase, proof: recovery.proof };
  expect(await world.codeOf("changePassphrase", swapped, how)).toBe("bad_signature");
  expect(await world.codeOf("changeRecovery", { ...recovery, proof: FOREIGN }, how)).toBe("bad_signature");
  expect(await world.codeOf("changePassphrase", passphrase, how)).toBe("accepted");
  expect((await login(holder.loginKey)).status).toBe(401);
  expect(JSON.parse((await login(key)).text)).toMatchObject({ vault: "bmV3" });
  expect((await login(holder.recoveryKey)).status).toBe(200);

  const other = `${"C".repeat(42)}A`;
  const proof = await holder.change("recovery", other, "bmV3ZXI");
  const change = { recoveryKey: other, recovery: "bmV3ZXI", proof };
  expect(await world.codeOf("changeRecovery", change, how)).toBe("accepted");
  expect((await login(holder.recoveryKey)).status).toBe(401);
  expect(JSON.parse((await login(other)).text)).toMatchObject({ vault: "bmV3ZXI" });
});

test("rotations and changes need the root's own signature", async () => {
  const world = await accountWorld();
  const { holder, laptop, how } = await registered(world);
  const rotation = await holder.rotation({});
  expect(await world.codeOf("rotate", { ...rotation, proof: FOREIGN }, how)).toBe("bad_signature");
  expect(await world.codeOf("rotate", { ...rotation, contents: "b3RoZXI" }, how)).toBe("bad_signature");
  const more = { ...rotation, revoke: [(await holder.device("phone")).id] };
  expect(await world.codeOf("rotate", more, how)).toBe("bad_signature");
  expect((await world.call("devices", {}, how)).devices.map(({ id }) => id)).toEqual([laptop.id]);
});
