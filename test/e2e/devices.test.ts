// A person's machines as real processes: one is lost in mid-conversation, one comes in by a code.
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Person, personAt } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

const EMAIL = "alice@example.org";

/** alice with an account at the broker and a laptop beside her desk, and bob in a team with her. */
async function household() {
  const world = createWorld();
  const broker = await world.broker();
  const passphrase = join(world.folder, "passphrase");
  writeFileSync(passphrase, "six words that nobody else has\n");
  const by = ["--broker", broker.url, "--email", EMAIL, "--passphrase-file", passphrase];
  const [desk, bob] = await Promise.all([world.person("alice", broker), world.person("bob", broker)]);
  await world.team(desk, bob);
  await desk.ok("login", ...by, "--register");
  const laptop = world.newcomer("laptop");
  await laptop.ok("login", ...by);
  await isIn(laptop);
  const { device } = await laptop.ok("whoami");
  return { world, broker, desk, laptop, bob, by, passphrase, lost: device.id };
}

const isIn = (person: Person) =>
  eventually(async () => {
    const { workspaces } = await person.ok("workspace", "list");
    return workspaces.some(
      ({ slug, role, link }: { slug: string; role: string | null; link: string }) =>
        slug === "acme" && role !== null && link === "online",
    );
  }, "the team");

const texts = async (person: Person): Promise<string[]> =>
  (await person.ok("inbox", "--workspace", "acme")).messages.map(({ text }: { text: string }) => text);
const hears = (person: Person, text: string) =>
  eventually(async () => (await texts(person)).includes(text), `"${text}"`);

test("a laptop that is lost in mid-conversation is out at once, and its stolen folder reads nothing new", async () => {
  const { world, desk, laptop, bob, passphrase, lost } = await household();
  await bob.ok("send", "alice", "before");
  for (const person of [desk, laptop]) await hears(person, "before");
  const stolen = join(world.folder, "stolen");
  cpSync(laptop.home, stolen, { recursive: true, filter: (path) => !path.endsWith(".sock") });

  const wrong = join(world.folder, "wrong");
  writeFileSync(wrong, "not these words at all\n");
  await desk.fails(4, ["devices", "revoke", lost, "--passphrase-file", wrong]);
  const done = await desk.ok("devices", "revoke", lost, "--passphrase-file", passphrase);
  expect(done).toMatchObject({ revoked: [{ id: lost }], waiting: [] });

  const says = async (person: Person) => (await person.ok("status")).workspaces[0]?.trouble ?? "";
  await eventually(async () => (await says(laptop)).includes("revoked"), "the laptop to hear it");
  await bob.ok("send", "alice", "after, for alice", "--wait", "stored");
  await bob.ok("send", "*", "after, for all", "--wait", "stored");
  for (const text of ["after, for alice", "after, for all"]) await hears(desk, text);
  await desk.ok("send", "bob", "an answer", "--wait", "delivered");

  const thief = personAt(stolen, world.folder);
  await thief.ok("up", "--no-broker");
  for (const gone of [laptop, thief]) {
    await eventually(async () => (await says(gone)).includes("revoked"), "the refusal");
    expect(await texts(gone)).toEqual(["before"]);
  }
  const { devices } = await desk.ok("devices", "list");
  expect(devices.find(({ id }: { id: string }) => id === lost)).toMatchObject({ revoked: true });
  await thief.run(["down"]);
  // Those who know the passphrase make that machine one of theirs again, under another key.
  await laptop.ok("login", "--passphrase-file", passphrase);
  await isIn(laptop);
  await hears(laptop, "after, for alice");
  expect((await laptop.ok("whoami")).device.id).not.toBe(lost);
});

test("a machine comes in by a code, has the same keys, and takes new ones as its sisters do", async () => {
  const { world, broker, desk, laptop, bob, passphrase } = await household();
  await bob.ok("send", "alice", "before");
  await hears(desk, "before");
  const tablet = world.newcomer("tablet");
  const adding = laptop.stream("devices", "add", "--json");
  const { code } = JSON.parse(await adding.line('"code"'));
  expect(code).toMatch(/^([0-9A-Z]{5}-){3}[0-9A-Z]{5}$/);
  const file = join(world.folder, "code");
  writeFileSync(file, `${code}\n`);
  const paired = await tablet.ok("login", "--pair", "--broker", broker.url, "--code-file", file);
  expect(paired).toMatchObject({ email: EMAIL, broker: broker.url, recoveryCode: null });
  expect(JSON.parse(await adding.line('"name"'))).toMatchObject({ id: paired.device.id });
  await isIn(tablet);
  await hears(tablet, "before");
  await tablet.ok("send", "bob", "from the tablet", "--wait", "delivered");

  expect(await desk.ok("identity", "rotate", "--passphrase-file", passphrase)).toEqual({
    seed: 1,
    waiting: [],
  });
  await bob.ok("send", "alice", "under the new keys", "--wait", "stored");
  for (const person of [desk, laptop, tablet]) await hears(person, "under the new keys");
  await tablet.fails(6, ["login", "--pair", "--broker", broker.url, "--code-file", file]);
});

test("a machine with notes and a team of its own brings both along", async () => {
  const { world, broker, desk, bob, by } = await household();
  const other = await world.person("carol", broker);
  await other.ok("send", "me", "a note", "--workspace", "personal", "--wait", "stored");
  const { url } = await desk.ok("invite", "create", "--workspace", "acme");
  await other.ok("join", url);
  await other.ok("send", "bob", "as carol", "--wait", "delivered");
  const { workspaces } = await other.ok("login", ...by);
  expect(workspaces.toSorted()).toEqual(["acme", "personal", "personal-2"]);
  await hears(bob, "as carol");
  const { peers } = await bob.ok("peers", "--workspace", "acme");
  expect(peers.map(({ name }: { name: string }) => name).toSorted()).toEqual(["alice", "bob"]);
  await other.ok("send", "bob", "as alice", "--wait", "delivered");
});

test("with sessions on two machines a message for the person surfaces once; read on one it is read on both", async () => {
  const { desk, laptop, bob } = await household();
  const shown: Record<string, string[]> = { desk: [], laptop: [] };
  const attach = async (person: Person, name: string) => {
    const { daemon, close } = await person.client();
    await daemon.session.attach({ id: name, cwd: `/home/alice/${name}`, host: name }, (event) => {
      if (event.type === "message") shown[name]?.push(event.message.text);
    });
    return close;
  };
  const endDesk = await attach(desk, "desk");
  await attach(laptop, "laptop");
  const said = Array.from({ length: 10 }, (_, i) => `message ${i}`);
  for (const text of said) await bob.ok("send", "alice", text);
  const all = () => [...(shown.desk ?? []), ...(shown.laptop ?? [])];
  await eventually(async () => all().length >= said.length, "all to surface");
  for (const person of [desk, laptop]) await hears(person, "message 9");
  expect(all().toSorted()).toEqual(said);

  await laptop.ok("inbox", "--mark-read");
  const unread = async (person: Person) => (await person.ok("inbox", "--unread")).messages.length;
  await eventually(async () => (await unread(desk)) === 0, "the marks");
  endDesk();
  await bob.ok("send", "alice", "for whoever is left");
  await eventually(async () => shown.laptop?.includes("for whoever is left") ?? false, "the take-over");
  expect(shown.desk).not.toContain("for whoever is left");
});
