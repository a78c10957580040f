import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startAdapter } from "./adapter.ts";
import { filesUnder, found, type Place, processFiles } from "./canaries.ts";
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

test("what opens an account is in no file of the broker, no log, no database, no process's arguments or environment", async () => {
  const world = createWorld();
  const proxy = await recordingProxy();
  const broker = await world.broker(proxy.url);
  proxy.forwardTo(broker.port);
  const name = `mail${randomBytes(9).toString("hex")}`;
  const secret = (text: string) => {
    const path = join(world.folder, `secret-${randomBytes(6).toString("hex")}`);
    writeFileSync(path, text);
    return path;
  };
  const where = ["--broker", proxy.url, "--email", `${name}@example.org`];
  const passphrases = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")] as const;
  const files = ["--passphrase-file", secret(passphrases[0])];
  const laptop = await world.person("laptop", null, ["--name", "alice", "--no-broker"]);
  const desktop = world.newcomer("desktop");
  const tablet = world.newcomer("tablet");
  const { recoveryCode } = await laptop.ok("login", "--register", ...where, ...files);
  await desktop.ok("login", ...where, ...files);
  await desktop.fails(4, ["login", ...where, "--passphrase-file", secret("not the passphrase")]);
  const recovery = ["--recovery-file", secret(recoveryCode), "--passphrase-file", secret(passphrases[1])];
  const { recoveryCode: next } = await tablet.ok("login", "--recover", ...where, ...recovery);
  await laptop.ok("workspace", "create", "acme");
  // A daemon that starts again shows its refresh token for another.
  await laptop.ok("down");
  await laptop.ok("devices", "list");

  const wire = proxy.bytes().toString("latin1");
  const all = (field: string) =>
    [...wire.matchAll(new RegExp(`"${field}":"([^"]+)"`, "g"))].map(([, text]) => text ?? "");
  const tokens = { ticket: all("ticket"), access: all("access"), refresh: all("refresh") };
  expect(tokens.ticket).toHaveLength(2);
  expect(new Set(tokens.access).size).toBeGreaterThanOrEqual(4);
  expect(new Set(tokens.refresh).size).toBeGreaterThanOrEqual(4);
  const secrets = Object.fromEntries(
    Object.entries({
      ...tokens,
      passphrase: passphrases,
      "recovery code": [recoveryCode, next].flatMap((code) => [code, code.replaceAll("-", "")]),
    }).flatMap(([what, values]) => values.map((value: string, i: number) => [`${what} ${i}`, value])),
  );

  const people = [laptop, desktop, tablet];
  const pids = [broker.pid(), ...(await Promise.all(people.map((person) => person.daemonPid())))];
  const processes = pids.flatMap(processFiles);
  const ofBroker = filesUnder(broker.data);
  const ofDaemons = people.flatMap(({ home }) => filesUnder(home));
  const isKey = ({ path }: Place) => path.includes("/keys/");
  // The positive control: each daemon keeps its refresh token with its keys, and nowhere else.
  const refreshes = Object.fromEntries(
    Object.entries(secrets).filter(([what]) => what.startsWith("refresh")),
  );
  expect(found(refreshes, ofDaemons.filter(isKey)).length).toBeGreaterThanOrEqual(people.length);
  const elsewhere = ofDaemons.filter((place) => !isKey(place));
  expect(elsewhere.filter(({ path }) => /daemon\.log$|account\.db$/.test(path))).toHaveLength(
    2 * people.length,
  );
  expect(found(secrets, [...ofBroker, ...elsewhere, ...processes])).toEqual([]);
  // A daemon keeps the e-mail address for the next login; it tells nobody.
  const logs = elsewhere.filter(({ path }) => path.includes("/logs/"));
  const email = { "e-mail address": name };
  expect(
    found(email, [...ofBroker, ...logs, ...processes, { path: "the wire", bytes: proxy.bytes() }]),
  ).toEqual([]);
});
