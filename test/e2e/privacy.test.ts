import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startAdapter } from "./adapter.ts";
import { filesUnder, found } from "./canaries.ts";
import { recordingProxy } from "./recording-proxy.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

test("the broker can read nothing: no canary in its files, its log, or the bytes on its sockets", async () => {
  const canary = (what: string) => `${what}${randomBytes(9).toString("hex")}`;
  const words = {
    text: canary("text"),
    topic: canary("topic"),
    topicText: canary("said"),
    name: canary("n"),
    workspace: canary("w"),
    session: canary("folder"),
  };
  const world = createWorld();
  const proxy = await recordingProxy();
  const broker = await world.broker(proxy.url);
  proxy.forwardTo(broker.port);
  const alice = await world.person("alice", proxy, [
    "--name",
    words.name,
    "--broker",
    proxy.url,
    "--no-broker",
  ]);
  const bob = await world.person("bob", proxy);

  await alice.ok("workspace", "create", words.workspace);
  const { url } = await alice.ok("invite", "create", "--workspace", words.workspace);
  await bob.ok("join", url);
  await startAdapter(alice, { session: "s-1", folder: join(world.folder, words.session) });
  await alice.ok("send", "bob", words.text, "--wait", "delivered");
  await alice.ok("topic", "create", words.topic);
  await alice.ok("topic", "send", words.topic, words.topicText, "--wait", "stored");

  // The positive control: bob has all of it.
  await eventually(async () => {
    const peers = JSON.stringify(await bob.ok("peers"));
    const topics = JSON.stringify(await bob.ok("topic", "list"));
    const inbox = JSON.stringify(await bob.ok("inbox"));
    return (
      [words.name, words.session].every((word) => peers.includes(word)) &&
      topics.includes(words.topic) &&
      inbox.includes(words.text)
    );
  }, "everything at bob's");
  expect((await bob.ok("topic", "history", words.topic)).messages[0].text).toBe(words.topicText);

  const kept = filesUnder(broker.data);
  expect(kept.map(({ path }) => path.slice(broker.data.length + 1))).toContain("broker.db-wal");
  const wire = proxy.bytes();
  expect(wire.length).toBeGreaterThan(10_000);
  expect(found(words, [...kept, { path: "the wire", bytes: wire }])).toEqual([]);
});
