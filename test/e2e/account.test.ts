// One person on several machines, each with a home of its own.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileKeychain } from "#daemon/adapters/keychain.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { memberSealingSecret } from "#protocol/derive.ts";
import { accountOf, currentSeed } from "#sdk/account/account.ts";
import { type Identity, readIdentity } from "#sdk/account/identity.ts";
import { filesUnder, found } from "./canary.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createWorld, type World } from "./world.ts";

const EMAIL = "alice@example.org";
const PASSPHRASE = "correct horse battery staple";
const NEW_PASSPHRASE = "tr0ubador & three";

function secretFile({ folder }: World, secret: string): string {
  const path = join(folder, `secret-${toBase64url(new TextEncoder().encode(secret)).slice(0, 40)}`);
  writeFileSync(path, `${secret}\n`);
  return path;
}

function identityOf({ home }: Person): Identity {
  const identity = readIdentity(fileKeychain(join(home, "keys")));
  if (!identity) throw new Error("nobody is logged in there");
  return identity;
}

/** What opens what is sealed to the member. */
function memberKey(person: Person, workspace: string): string {
  const account = accountOf(identityOf(person), "");
  const { secret, number } = currentSeed(account);
  return toBase64url(memberSealingSecret(secret, account.user, workspace, number));
}

/** Alice registered on her laptop, and `enter` to log in on another machine. */
async function registered(flags: readonly string[] = []) {
  const world = createWorld();
  const broker = await world.broker(undefined, { flags });
  const laptop = await world.person("laptop", null, ["--name", "alice", "--no-broker"]);
  const unregistered = identityOf(laptop);
  const passphraseFile = secretFile(world, PASSPHRASE);
  const how = ["--broker", broker.url, "--email", EMAIL, "--passphrase-file"];
  const done = await laptop.ok("login", "--register", ...how, passphraseFile);
  const loginArgs = (passphrase: string) => ["login", ...how, secretFile(world, passphrase)];
  const enter = async (name: string, passphrase = PASSPHRASE) => {
    const machine = world.newcomer(name);
    return { machine, done: await machine.ok(...loginArgs(passphrase)) };
  };
  return { world, broker, laptop, unregistered, passphraseFile, done, loginArgs, enter };
}

test("an account is the same on a second machine: person, keys, name, workspaces, and what was said", async () => {
  const { laptop, unregistered, done, enter } = await registered();
  expect(done).toMatchObject({ name: "alice", email: EMAIL });
  expect(done.recoveryCode).toMatch(/^([0-9A-Z]{5}-){5}[0-9A-Z]$/);
  const root = fromBase64url(unregistered.root ?? "");
  expect(root).toHaveLength(32);
  // With the registration the root has left this machine.
  expect(found({ root }, filesUnder(laptop.home))).toEqual([]);
  const { id } = await laptop.ok("workspace", "create", "acme");

  const { machine: desktop, done: entered } = await enter("desktop");
  expect(entered).toMatchObject({ userId: done.userId, name: "alice", recoveryCode: null });
  expect(entered.device.id).not.toBe(done.device.id);
  const [here, there] = await Promise.all([laptop.ok("whoami"), desktop.ok("whoami")]);
  for (const field of ["userId", "name", "email", "broker", "registered", "rootFingerprint"] as const) {
    expect([field, there[field]]).toEqual([field, here[field]]);
  }
  expect(there.device.fingerprint).not.toBe(here.device.fingerprint);
  expect(memberKey(desktop, id)).toBe(memberKey(laptop, id));
  expect(memberKey(desktop, id)).toHaveLength(43);

  const workspacesOf = async (person: Person) => {
    const { workspaces } = await person.ok("workspace", "list");
    return workspaces.map(({ id, slug }: Record<string, string>) => `${slug} ${id}`).toSorted();
  };
  expect(await workspacesOf(desktop)).toEqual(await workspacesOf(laptop));
  await laptop.ok("send", "me", "from the laptop", "--workspace", "acme", "--wait", "stored");
  const texts = async () => JSON.stringify((await desktop.ok("inbox")).messages);
  await eventually(async () => (await texts()).includes("from the laptop"), "the note on the other machine");
});

test("a changed passphrase opens the account and the old one doesn't", async () => {
  const { world, laptop, passphraseFile, loginArgs, enter } = await registered();
  const desktop = world.newcomer("desktop");
  const wrong = await desktop.fails(4, loginArgs("not the passphrase"));
  expect(wrong).toMatchObject({ code: "wrong_passphrase", hint: expect.stringContaining("--recover") });
  const next = secretFile(world, NEW_PASSPHRASE);
  const files = ["--passphrase-file", passphraseFile, "--new-passphrase-file", next];
  await laptop.ok("identity", "passphrase", ...files);
  expect(await desktop.fails(4, loginArgs(PASSPHRASE))).toMatchObject({ code: "wrong_passphrase" });
  const { done } = await enter("desktop", NEW_PASSPHRASE);
  expect(done.userId).toBe((await laptop.ok("whoami")).userId);
});

test("the recovery code opens the account once, and brings another passphrase and another code", async () => {
  const { world, broker, done, loginArgs, enter } = await registered();
  const recover = (code: string) => {
    const files = ["--recovery-file", secretFile(world, code), "--passphrase-file"];
    return [
      "login",
      "--recover",
      "--broker",
      broker.url,
      "--email",
      EMAIL,
      ...files,
      secretFile(world, NEW_PASSPHRASE),
    ];
  };
  const desktop = world.newcomer("desktop");
  const recovered = await desktop.ok(...recover(done.recoveryCode));
  expect(recovered.userId).toBe(done.userId);
  expect(recovered.recoveryCode).toMatch(/^([0-9A-Z]{5}-){5}[0-9A-Z]$/);
  expect(recovered.recoveryCode).not.toBe(done.recoveryCode);

  const tablet = world.newcomer("tablet");
  expect(await tablet.fails(4, recover(done.recoveryCode))).toMatchObject({ code: "wrong_passphrase" });
  expect(await tablet.fails(4, loginArgs(PASSPHRASE))).toMatchObject({ code: "wrong_passphrase" });
  await enter("tablet", NEW_PASSPHRASE);
  const phone = world.newcomer("phone");
  expect((await phone.ok(...recover(recovered.recoveryCode))).userId).toBe(done.userId);
});

test("who guesses is told how long to wait, in words", async () => {
  const { world, loginArgs } = await registered();
  const desktop = world.newcomer("desktop");
  const guess = () => desktop.run([...loginArgs("not the passphrase"), "--json"]);
  let last = await guess();
  // Each failure doubles the wait, so one of the next comes too early.
  for (let i = 0; i < 12 && last.code === 4; i++) last = await guess();
  expect(last.code).toBe(8);
  const { error } = JSON.parse(last.stderr);
  expect(error).toMatchObject({
    code: "slow_down",
    hint: expect.stringMatching(/^Try again in \d+ seconds?\.$/),
  });
}, 60_000);

test("a logout leaves no secret in the home, and the next login finds everything again", async () => {
  const { laptop, unregistered, done, enter, loginArgs } = await registered();
  const { id } = await laptop.ok("workspace", "create", "acme");
  const { machine: desktop } = await enter("desktop");
  const identity = identityOf(desktop);
  const secrets = {
    root: fromBase64url(unregistered.root ?? ""),
    "member key": fromBase64url(memberKey(desktop, id)),
    "device secret": fromBase64url(identity.secret),
    passphrase: PASSPHRASE,
    "recovery code": done.recoveryCode,
    "refresh token": readFileSync(join(desktop.home, "keys", "refresh")),
    ...Object.fromEntries(
      identity.seeds.map(({ number, secret }) => [`seed ${number}`, fromBase64url(secret)]),
    ),
  };
  // The positive control: this is how they would be found.
  expect(found(secrets, filesUnder(join(desktop.home, "keys")))).toHaveLength(3);
  await desktop.ok("logout");
  expect(found(secrets, filesUnder(desktop.home))).toEqual([]);
  expect(await desktop.fails(4, ["inbox"])).toMatchObject({ code: "logged_out" });
  await desktop.ok("down");
  expect(found(secrets, filesUnder(desktop.home))).toEqual([]);

  const [, , , , , ...files] = loginArgs(PASSPHRASE);
  const again = await desktop.ok("login", ...files);
  expect(again.userId).toBe(done.userId);
  expect(memberKey(desktop, id)).toBe(memberKey(laptop, id));
});

test("a logout doesn't lose what waits to be sent, unless one says so", async () => {
  const { broker, laptop } = await registered();
  await laptop.ok("workspace", "create", "acme");
  await laptop.ok("send", "me", "stored", "--workspace", "acme", "--wait", "stored");
  await broker.kill9();
  await laptop.ok("send", "me", "not yet", "--workspace", "acme");
  const refusal = await laptop.fails(7, ["logout"]);
  expect(refusal).toMatchObject({ code: "refused", message: expect.stringContaining("acme") });
  expect(refusal.hint).toContain("--yes");
  expect((await laptop.ok("inbox")).messages).toHaveLength(2);
  await laptop.ok("logout", "--yes");
  expect(await laptop.fails(4, ["inbox"])).toMatchObject({ code: "logged_out" });
});

test("who has logged out may register another account there, and a registration that fails changes nothing", async () => {
  const { laptop, done, broker, passphraseFile } = await registered();
  await laptop.ok("logout");
  const register = (email: string) => {
    const where = ["--broker", broker.url, "--email", email, "--passphrase-file", passphraseFile];
    return ["login", "--register", ...where];
  };
  expect(await laptop.fails(6, register(EMAIL))).toMatchObject({ code: "account_exists" });
  expect(await laptop.fails(4, ["whoami"])).toMatchObject({ code: "logged_out" });
  const other = await laptop.ok(...register("alice@example.com"));
  expect(other.userId).not.toBe(done.userId);
  expect(other.workspaces).toEqual(["personal"]);
  await laptop.ok("send", "me", "a note", "--wait", "stored");
});

test("a broker for the registered tells the others what to do, and lets them in once they have", async () => {
  const { world, broker, laptop } = await registered(["--registered-only"]);
  const isOnline = async (person: Person) =>
    (await person.ok("status")).workspaces.some(({ link }: { link: string }) => link === "online");
  await laptop.ok("workspace", "create", "acme");
  await eventually(() => isOnline(laptop), "the registered one online");

  const bob = await world.person("bob", broker);
  await bob.ok("workspace", "create", "bobs");
  const trouble = await eventually(async () => {
    const [workspace] = (await bob.ok("status")).workspaces;
    return workspace.trouble?.includes("account") && workspace.trouble;
  }, "the refusal");
  expect(trouble).toContain(`claudemesh login --broker ${broker.url} --register`);
  expect(await isOnline(bob)).toBe(false);
  const { url } = await laptop.ok("invite", "create", "--workspace", "acme");
  const refusal = await bob.fails(4, ["join", url]);
  expect(refusal).toMatchObject({
    code: "not_registered",
    hint: expect.stringContaining("claudemesh login"),
  });
  const files = ["--passphrase-file", secretFile(world, PASSPHRASE)];
  await bob.ok("login", "--register", "--broker", broker.url, "--email", "bob@example.org", ...files);
  await eventually(() => isOnline(bob), "the newly registered one online");
  expect(await bob.ok("join", url)).toMatchObject({ slug: "acme" });
});

test("what two machines write into the account at once is on both", async () => {
  const { laptop, enter } = await registered();
  const { machine: desktop } = await enter("desktop");
  const [here, there] = [await laptop.ok("whoami"), await desktop.ok("whoami")];
  await Promise.all([
    laptop.ok("devices", "rename", here.device.id, "the old one"),
    desktop.ok("devices", "rename", there.device.id, "the new one"),
  ]);
  for (const machine of [laptop, desktop]) {
    const names = async () =>
      (await machine.ok("devices", "list")).devices.map(({ name }: { name: string }) => name).toSorted();
    await eventually(async () => (await names()).join() === "the new one,the old one", "both names");
    expect((await machine.ok("whoami")).trouble).toBeNull();
  }
});
