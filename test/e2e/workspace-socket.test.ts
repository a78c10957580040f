import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, lstatSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { VERSION } from "#adapters/version.ts";
import { processesOf } from "./ending.ts";
import { type Person, personAt } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createWorld, type World } from "./world.ts";

type Listed = { id: string; slug: string; socket: string | null };

const workspaceOf = async (person: Person, slug: string): Promise<Listed> =>
  (await person.ok("status")).workspaces.find((one: Listed) => one.slug === slug);

/** Somebody in a container, who has nothing but that socket. */
function behind(world: World, socket: string): Person {
  const inside = personAt(join(world.folder, "inside"), world.folder);
  inside.env.CLAUDEMESH_SOCKET = socket;
  return inside;
}

const socketsIn = (person: Person) => readdirSync(join(person.home, "sockets")).sort();

test("through a workspace's socket that workspace can be used, and no other be reached or named", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  const bob = await world.person("bob", broker);
  await world.team(alice, bob);
  const secret = `secret-${randomBytes(6).toString("hex")}`;
  await alice.ok("workspace", "create", secret);
  await alice.ok("workspace", "use", secret);
  await alice.ok("send", "me", `said in ${secret}`, "--workspace", secret, "--wait", "stored");
  const { id: secretId } = await workspaceOf(alice, secret);
  const { socket } = await workspaceOf(alice, "acme");
  expect(socket).toBe(join(alice.home, "sockets", "acme.sock"));
  expect(lstatSync(socket ?? "").mode & 0o777).toBe(0o600);
  expect(lstatSync(join(alice.home, "sockets")).mode & 0o777).toBe(0o700);

  const inside = behind(world, socket ?? "");
  const sent = await inside.ok("send", "bob", "from the container", "--wait", "delivered");
  expect(sent.workspace).toBe("acme");
  expect((await inside.ok("status")).workspaces.map(({ slug }: Listed) => slug)).toEqual(["acme"]);
  // What it says of the workspace makes no difference.
  expect((await inside.ok("send", "me", "note", "--workspace", secret)).workspace).toBe("acme");
  expect((await inside.ok("workspace", "info", secret)).slug).toBe("acme");

  const said: string[] = [];
  const outcomes: Record<string, number> = {};
  for (const words of [
    "status",
    "whoami",
    "peers",
    "inbox",
    `inbox --workspace ${secret}`,
    "workspace list",
    `workspace info ${secretId}`,
    "topic list",
    `message status ${sent.id}`,
    `workspace use ${secret}`,
    "workspace create more",
    `workspace leave ${secret} --yes`,
    "invite create",
    "join https://broker.invalid/i/AAAAAAAA#AAAA",
    "down",
    "send nobody x",
    "ask me/payments what",
  ]) {
    const { code, stdout, stderr } = await inside.run(words.split(" "));
    said.push(stdout, stderr);
    outcomes[words.replaceAll(secret, "S").replace(secretId, "ID").replace(sent.id, "M")] = code;
  }
  expect(outcomes).toEqual({
    status: 0,
    whoami: 0,
    peers: 0,
    inbox: 0,
    "inbox --workspace S": 0,
    "workspace list": 0,
    "workspace info ID": 0,
    "topic list": 0,
    "message status M": 0,
    "workspace use S": 4,
    "workspace create more": 4,
    "workspace leave S --yes": 4,
    "invite create": 4,
    "join https://broker.invalid/i/AAAAAAAA#AAAA": 4,
    down: 4,
    "send nobody x": 5,
    "ask me/payments what": 4,
  });
  expect(said.join("\n")).toContain("note");
  expect(said.join("\n")).not.toContain(secret);
  expect(said.join("\n")).not.toContain(secretId);

  const { daemon, close } = await connectDaemon(socket ?? "", { client: "other", version: VERSION });
  const heard: string[] = [];
  await daemon.feed.open({}, (event) => heard.push(JSON.stringify(event)));
  await expect(daemon.session.attach({ id: "s", cwd: "/", host: "h" }, () => {})).rejects.toMatchObject({
    code: "not_allowed",
  });
  await alice.ok("send", "me", "in the secret one", "--workspace", secret, "--wait", "stored");
  await alice.ok("send", "me", "in acme", "--workspace", "acme", "--wait", "stored");
  await eventually(async () => heard.join().includes("in acme"), "the feed");
  expect(heard.join()).not.toContain("secret");
  close();

  // Nothing was started or kept on the inside.
  expect(await inside.fails(2, ["up"])).toMatchObject({ code: "usage" });
  await alice.ok("down");
  expect(await inside.fails(3, ["peers"])).toMatchObject({
    hint: expect.stringContaining("CLAUDEMESH_SOCKET"),
  });
  expect(existsSync(inside.home)).toBe(false);
  expect(processesOf(inside.home)).toEqual([]);
});

test("a workspace's socket comes and goes with it, has its name, and outlives no daemon", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  const bob = await world.person("bob", broker);
  await world.team(alice, bob);
  await alice.ok("workspace", "create", "second");
  expect(socketsIn(alice)).toEqual(["acme.sock", "personal.sock", "second.sock"]);
  // Bob's was provisional until the workspace's own name was known.
  await eventually(async () => socketsIn(bob).join() === "acme.sock,personal.sock", "bob's sockets");

  const { socket } = await workspaceOf(bob, "acme");
  const client = await connectDaemon(socket ?? "", { client: "other", version: VERSION });
  await client.daemon.workspace.list({});
  await bob.ok("workspace", "leave", "acme", "--yes");
  await client.closed;
  await eventually(async () => socketsIn(bob).join() === "personal.sock", "bob's socket to go");

  await alice.kill9();
  writeFileSync(join(alice.home, "sockets", "mine"), "no socket");
  const stale = createServer().listen(join(alice.home, "sockets", "stale.sock"));
  await once(stale, "listening");
  await alice.ok("up");
  await eventually(
    async () => socketsIn(alice).join() === "acme.sock,mine,personal.sock,second.sock",
    "the sockets again",
  );
  stale.close();
  await behind(world, join(alice.home, "sockets", "acme.sock")).ok("peers");
  await alice.ok("down");
  expect(socketsIn(alice)).toEqual(["mine"]);
});

test("where the home's path is too long for sockets, they are in the runtime folder, as status says", async () => {
  const world = createWorld();
  const home = join(world.folder, "a".repeat(90), "home");
  const alice = personAt(home, world.folder);
  alice.env.XDG_RUNTIME_DIR = join(world.folder, "run");
  await alice.ok("up", "--name", "alice", "--no-broker");
  const { daemon } = await alice.ok("status");
  const { socket } = await workspaceOf(alice, "personal");
  for (const path of [daemon.socket, socket]) {
    expect(path).toMatch(new RegExp(`^${world.folder}/run/claudemesh/[0-9a-f]{16}(-personal)?\\.sock$`));
    expect(lstatSync(path ?? "").isSocket()).toBe(true);
  }
  expect((await behind(world, socket ?? "").ok("whoami")).name).toBe("alice");
  await alice.ok("down");
  expect(readdirSync(join(world.folder, "run", "claudemesh"))).toEqual([]);
});
