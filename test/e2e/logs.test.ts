import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRollingFile } from "#adapters/rolling-file.ts";
import { startAdapter } from "./adapter.ts";
import { shout } from "./raw-socket.ts";
import { createWorld } from "./world.ts";

test("logs shows the newest lines over all files of the log, and -f goes on through rotations without a gap", async () => {
  const alice = createWorld().newcomer("alice");
  // The daemon's own writer, with a limit that is reached soon.
  const log = openRollingFile(join(alice.home, "logs", "daemon.log"), { maxBytes: 4000 });
  let count = 0;
  const write = (lines: number) => {
    for (let i = 0; i < lines; i++) log.write(`${JSON.stringify({ msg: `line ${count++}` })}\n`);
  };
  const line = (i: number) => JSON.stringify({ msg: `line ${i}` });
  write(300);
  const { stdout } = await alice.run(["logs", "--limit", "250", "--json"]);
  expect(stdout.trim().split("\n")).toEqual(Array.from({ length: 250 }, (_, i) => line(50 + i)));

  const following = alice.stream("logs", "-f", "--limit", "1", "--json");
  await following.line(line(299));
  for (let round = 0; round < 5; round++) {
    write(400); // more than two files full
    await following.line(line(count - 1));
  }
  expect(following.seen).toEqual(Array.from({ length: count - 299 }, (_, i) => line(299 + i)));
});

test("a person's words, topics, folders and colleagues stand in nobody's log", async () => {
  const canary = (what: string) => `${what}${randomBytes(6).toString("hex")}`;
  const words = {
    text: canary("text"),
    topic: canary("topic"),
    folder: canary("folder"),
    name: canary("n"),
    workspace: canary("w"),
    address: canary("nobody"),
  };
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", words.name]);
  const broker = { url: (await alice.ok("status")).broker.url };
  const bob = await world.person("bob", broker);
  await alice.ok("workspace", "create", words.workspace);
  const { url } = await alice.ok("invite", "create", "--workspace", words.workspace);
  await bob.ok("join", url);
  await startAdapter(alice, { session: "s-1", folder: join(world.folder, words.folder) });
  await alice.ok("send", "bob", words.text, "--workspace", words.workspace, "--wait", "delivered");
  await alice.ok("topic", "create", words.topic);
  await bob.kill9();
  await alice.fails(5, ["send", words.address, words.text]);
  await alice.fails(5, ["topic", "send", words.address, words.text]);
  const { socket } = (await alice.ok("status")).daemon;
  await shout(socket, `{"type":"hello","data":${words.text}}\f`);
  await alice.ok("down");
  await bob.ok("down");

  const logs = [alice, bob].flatMap(({ home }) =>
    readdirSync(home, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".log"))
      .map((path) => ({ path, text: readFileSync(join(home, path), "utf8") })),
  );
  expect(logs.map(({ path }) => path).sort()).toEqual([
    "broker/broker.log",
    "logs/daemon.log",
    "logs/daemon.log",
  ]);
  for (const { path, text } of logs) {
    expect(text).toMatch(/"(started|listening)"/);
    for (const [what, word] of Object.entries(words))
      expect(text.includes(word), `${what} in ${path}`).toBe(false);
  }
});
