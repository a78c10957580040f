// A person in a file: out of one machine, onto another.
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileKeychain } from "#daemon/adapters/keychain.ts";
import { fromBase64url } from "#protocol/bytes.ts";
import { readIdentity } from "#sdk/account/identity.ts";
import { filesUnder, found, processFiles } from "./canary.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";
import { type Broker, createWorld, type World } from "./world.ts";

const PASSPHRASE = "kept apart from the file";
const LOGIN = "correct horse battery staple";

function secretFile({ folder }: World, name: string, secret: string): string {
  const path = join(folder, name);
  writeFileSync(path, `${secret}\n`);
  return path;
}

const textsOf = async (person: Person) =>
  (await person.ok("message", "history")).messages.map(({ text }: { text: string }) => text);
const slugsOf = async (person: Person) =>
  (await person.ok("workspace", "list")).workspaces.map(({ slug }: { slug: string }) => slug);
const hears = (person: Person, text: string) =>
  eventually(async () => (await textsOf(person)).includes(text), `"${text}"`);

/** alice, whose account is on her laptop only, in "acme" with bob; and a machine with nothing on it. */
async function beforeTheLoss() {
  const world = createWorld();
  const broker = await world.broker();
  const laptop = await world.person("laptop", broker, [
    "--name",
    "alice",
    "--broker",
    broker.url,
    "--no-broker",
  ]);
  const bob = await world.person("bob", broker);
  await world.team(laptop, bob);
  await laptop.ok("send", "bob", "from her, before", "--wait", "delivered");
  await bob.ok("send", "alice", "for her, before", "--wait", "delivered");
  await bob.ok("send", "*", "for all, before", "--wait", "stored");
  await hears(laptop, "for all, before");
  await laptop.ok("peer", "verify", "bob", "--yes");
  const desktop = await world.person("desktop", broker, ["--name", "nobody", "--no-broker"]);
  const file = join(world.folder, "alice.backup");
  const passphrase = ["--passphrase-file", secretFile(world, "passphrase", PASSPHRASE)];
  return { world, broker, laptop, bob, desktop, file, passphrase };
}

test("a machine that has a backup restored is the person: workspaces, name, history, marks, and what comes next", async () => {
  const { laptop, bob, desktop, file, passphrase } = await beforeTheLoss();
  const made = await laptop.ok("backup", file, ...passphrase);
  expect(made).toEqual({
    path: file,
    workspaces: expect.arrayContaining(["acme", "personal"]),
    left: [],
    root: true,
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const me = await laptop.ok("whoami");
  await laptop.kill9();
  rmSync(laptop.home, { recursive: true });

  const restored = await desktop.ok("restore", file, ...passphrase);
  expect(restored).toMatchObject({ userId: me.userId, name: "alice", isNewDevice: true });
  expect(restored.workspaces.toSorted()).toEqual(["acme", "personal"]);
  expect(restored.device.id).not.toBe(me.device.id);
  expect((await desktop.ok("whoami")).rootFingerprint).toBe(me.rootFingerprint);
  for (const text of ["from her, before", "for her, before", "for all, before"]) await hears(desktop, text);
  const { peers } = await desktop.ok("peers", "--workspace", "acme");
  expect(peers).toMatchObject([
    { name: "alice", you: true },
    { name: "bob", verified: true },
  ]);

  await bob.ok("send", "alice", "after", "--wait", "delivered");
  await hears(desktop, "after");
  await desktop.ok("send", "bob", "from her, after", "--wait", "delivered");
  await hears(bob, "from her, after");
  const seen = await bob.ok("peer", "show", "alice");
  expect(seen).toMatchObject({ member: me.userId, keyChanged: null });
  expect(seen.devices).toHaveLength(2);

  // Over itself it changes nothing, and the next start is no different.
  expect(await desktop.ok("restore", file, ...passphrase)).toMatchObject({
    device: restored.device,
    isNewDevice: false,
  });
  await desktop.ok("down");
  expect((await slugsOf(desktop)).toSorted()).toEqual(["acme", "personal"]);
  await hears(desktop, "for her, before");
});

test("what can't be restored says why, and leaves the machine as it was", async () => {
  const { world, broker, laptop, bob, desktop, file, passphrase } = await beforeTheLoss();
  await laptop.ok("backup", file, ...passphrase);
  const before = await desktop.ok("whoami");
  const bytes = readFileSync(file);
  const restoring = (content: Uint8Array, secret = passphrase) => {
    const path = join(world.folder, "other.backup");
    writeFileSync(path, content);
    return ["restore", path, ...secret];
  };
  const wrong = ["--passphrase-file", secretFile(world, "wrong", "another passphrase")];
  expect(await desktop.fails(4, restoring(bytes, wrong))).toMatchObject({ code: "wrong_passphrase" });
  const flipped = bytes.map((byte, i) => (i === 300 ? byte ^ 1 : byte));
  const newer = Buffer.concat([Buffer.from("claudemesh backup 2\n"), bytes.subarray(20)]);
  for (const [content, why] of [
    [flipped, "damaged or cut"],
    [bytes.subarray(0, -10), "damaged or cut"],
    [bytes.subarray(0, 10), "no backup"],
    [Buffer.from("hello\n"), "no backup"],
    [new Uint8Array(0), "no backup"],
    [newer, "version 2"],
  ] as const) {
    const refusal = await desktop.fails(9, restoring(content));
    expect(refusal).toMatchObject({ code: "bad_data", message: expect.stringContaining(why) });
  }
  await desktop.fails(9, ["restore", join(world.folder, "nowhere"), ...passphrase]);
  await desktop.fails(9, ["restore", world.folder, ...passphrase]);
  await desktop.fails(2, ["restore", file]);
  expect(await desktop.ok("whoami")).toEqual(before);

  // Somebody else's machine stays theirs.
  const refusal = await bob.fails(6, ["restore", file, ...passphrase]);
  expect(refusal).toMatchObject({ code: "conflict", hint: expect.stringContaining("CLAUDEMESH_HOME=") });
  const login = ["--passphrase-file", secretFile(world, "login", LOGIN)];
  await bob.ok("login", "--register", "--broker", broker.url, "--email", "bob@example.org", ...login);
  expect((await bob.fails(6, ["restore", file, ...passphrase])).hint).toContain("claudemesh logout");
  await desktop.ok("send", "me", "my note", "--workspace", "personal");
  expect(await desktop.fails(6, ["restore", file, ...passphrase])).toMatchObject({ code: "conflict" });
  expect(await textsOf(desktop)).toEqual(["my note"]);

  // Nor is a file written over, or a passphrase taken that is none.
  const kept = readFileSync(file);
  expect(await laptop.fails(2, ["backup", file, ...passphrase])).toMatchObject({
    hint: expect.stringContaining("--yes"),
  });
  const short = ["--passphrase-file", secretFile(world, "short", "short")];
  await laptop.fails(9, ["backup", join(world.folder, "second.backup"), ...short]);
  await laptop.fails(9, ["backup", join(world.folder, "no", "such", "folder"), ...passphrase]);
  expect(readFileSync(file)).toEqual(kept);
  await laptop.ok("backup", file, ...passphrase, "--yes");
  expect(readFileSync(file)).not.toEqual(kept);
});

test("neither passphrase nor keys are anywhere but where they belong", async () => {
  const { broker, laptop, desktop, file, passphrase } = await beforeTheLoss();
  await laptop.ok("backup", file, ...passphrase);
  const identity = readIdentity(fileKeychain(join(laptop.home, "keys")));
  const secrets = {
    root: fromBase64url(identity?.root ?? ""),
    seed: fromBase64url(identity?.seeds[0]?.secret ?? ""),
    device: fromBase64url(identity?.secret ?? ""),
  };
  await desktop.ok("restore", file, ...passphrase);
  const pids = [await laptop.daemonPid(), await desktop.daemonPid(), broker.pid()];
  const files = [laptop.home, desktop.home, broker.data].flatMap(filesUnder);
  expect(found({ passphrase: PASSPHRASE }, [...files, file, ...pids.flatMap(processFiles)])).toEqual([]);
  const isKept = (path: string) => !path.includes("/keys/");
  expect(found(secrets, [...files.filter(isKept), file])).toEqual([]);
  // The device stays where it is; the rest is what makes the person.
  const there = filesUnder(join(desktop.home, "keys"));
  expect(found(secrets, there).map((what) => what.split(" ")[0])).toEqual(["root", "seed"]);
  expect(found({ name: '"alice"', workspace: '"acme"' }, [file])).toEqual([]);
});

test("of a registered account a backup has no root: one logs in, and it tells what the broker has lost", async () => {
  const world = createWorld();
  const home: Broker = await world.broker();
  const other = await world.broker();
  const laptop = await world.person("laptop", other, [
    "--name",
    "alice",
    "--broker",
    other.url,
    "--no-broker",
  ]);
  const login = ["--broker", home.url, "--email", "alice@example.org"];
  const secret = ["--passphrase-file", secretFile(world, "login", LOGIN)];
  await laptop.ok("login", "--register", ...login, ...secret);
  await laptop.ok("down");
  await home.signal("SIGTERM");
  const early = join(world.folder, "early");
  cpSync(home.data, early, { recursive: true });
  await home.restart();

  await laptop.ok("workspace", "create", "acme");
  await laptop.ok("send", "me", "before", "--workspace", "acme", "--wait", "stored");
  const file = join(world.folder, "alice.backup");
  const passphrase = ["--passphrase-file", secretFile(world, "passphrase", PASSPHRASE)];
  expect(await laptop.ok("backup", file, ...passphrase)).toMatchObject({ root: false });
  await laptop.kill9();
  await home.signal("SIGTERM");
  rmSync(home.data, { recursive: true });
  cpSync(early, home.data, { recursive: true });
  await home.restart();

  const desktop = world.newcomer("desktop");
  const refusal = await desktop.fails(4, ["restore", file, ...passphrase]);
  expect(refusal).toMatchObject({ code: "not_allowed", hint: expect.stringContaining(login.join(" ")) });
  await desktop.ok("login", ...login, ...secret);
  expect(await slugsOf(desktop)).not.toContain("acme");
  const done = await desktop.ok("restore", file, ...passphrase);
  expect(done).toMatchObject({ isNewDevice: false, workspaces: expect.arrayContaining(["acme"]) });
  await hears(desktop, "before");

  // The home broker has it again.
  const tablet = world.newcomer("tablet");
  await tablet.ok("login", ...login, ...secret);
  await eventually(async () => (await slugsOf(tablet)).includes("acme"), "the workspace");
});

test("with its root a registered account outlives its home broker: it is registered at another one", async () => {
  const world = createWorld();
  const [home, other] = [await world.broker(), await world.broker()];
  const flags = ["--name", "alice", "--broker", other.url, "--no-broker"];
  const laptop = await world.person("laptop", other, flags);
  const secret = secretFile(world, "login", LOGIN);
  const register = (broker: Broker) => {
    const where = ["--broker", broker.url, "--email", "alice@example.org", "--passphrase-file", secret];
    return ["login", "--register", ...where];
  };
  const { userId } = await laptop.ok(...register(home));
  await laptop.ok("workspace", "create", "acme");
  await laptop.ok("send", "me", "before", "--workspace", "acme", "--wait", "stored");
  const file = join(world.folder, "alice.backup");
  const passphrase = ["--passphrase-file", secretFile(world, "passphrase", PASSPHRASE)];
  const wrong = secretFile(world, "wrong", "not the account's");
  const withRoot = ["backup", file, "--with-root", ...passphrase, "--root-passphrase-file"];
  expect(await laptop.fails(4, [...withRoot, wrong])).toMatchObject({ code: "wrong_passphrase" });
  expect(await laptop.ok(...withRoot, secret)).toMatchObject({ root: true });
  await laptop.kill9();
  await home.kill9();

  const desktop = await world.person("desktop", other, flags);
  expect(await desktop.ok("restore", file, ...passphrase)).toMatchObject({ userId, isNewDevice: true });
  expect(await desktop.ok("whoami")).toMatchObject({ userId, registered: false });
  await hears(desktop, "before");
  expect(await desktop.ok(...register(other))).toMatchObject({ userId });
  expect(await desktop.ok("whoami")).toMatchObject({ userId, registered: true, broker: other.url });
});
