import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startAdapter } from "./adapter.ts";
import { canaries, disguises, filesUnder, found, processFiles } from "./canary.ts";
import { recordingProxy } from "./recording-proxy.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

test("no database of either side, nor the broker's, has the secret of an invite, open or used", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const [alice, bob, carol] = await Promise.all([
    world.person("alice", broker),
    world.person("bob", broker),
    world.person("carol", broker),
  ]);
  await alice.ok("workspace", "create", "acme");
  const used = await alice.ok("invite", "create", "--workspace", "acme", "--unattended");
  await bob.ok("join", used.url);
  const open = await alice.ok("invite", "create", "--workspace", "acme");
  // A join that goes no further: the invite is found, and then no link comes up.
  const half = createServer(async ({ url }, response) => {
    response.end(await (await fetch(`${broker.url}${url}`)).text());
  });
  half.on("upgrade", (_, socket) => socket.destroy());
  onTestFinished(() => void half.close());
  await once(half.listen(0, "127.0.0.1"), "listening");
  const url = open.url.replace(broker.url, `http://127.0.0.1:${(half.address() as AddressInfo).port}`);
  await carol.fails(8, ["join", url, "--timeout", "500ms"]);
  expect(readdirSync(join(carol.home, "keys"))).toContain(`invite-${open.code}`);
  expect(readdirSync(join(bob.home, "keys"))).not.toContain(`invite-${used.code}`);

  for (const { url } of [used, open]) {
    const fragment = Buffer.from(new URL(url).hash.slice(1), "base64url");
    const secret = fragment.subarray(0, 16);
    for (const home of [alice.home, bob.home, carol.home, broker.data]) {
      const files = filesUnder(home).filter((path) => /\.(db(-wal|-shm)?|log|json)$/.test(path));
      expect(files.length).toBeGreaterThan(1);
      expect(canaries(files, [secret, fragment])).toEqual([]);
    }
  }
});

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
  expect(kept.map((path) => path.slice(broker.data.length + 1))).toContain("broker.db-wal");
  expect(found(words, kept)).toEqual([]);
  const wire = proxy.bytes();
  expect(wire.length).toBeGreaterThan(10_000);
  for (const [what, word] of Object.entries(words)) {
    for (const look of disguises(word)) expect(wire.includes(look), `${what} on the wire`).toBe(false);
  }
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
  const isKey = (path: string) => path.includes("/keys/");
  // The positive control: each daemon keeps its refresh token with its keys, and nowhere else.
  const refreshes = Object.fromEntries(
    Object.entries(secrets).filter(([what]) => what.startsWith("refresh")),
  );
  expect(found(refreshes, ofDaemons.filter(isKey)).length).toBeGreaterThanOrEqual(people.length);
  const elsewhere = ofDaemons.filter((path) => !isKey(path));
  expect(elsewhere.filter((path) => /daemon\.log$|account\.db$/.test(path))).toHaveLength(2 * people.length);
  expect(found(secrets, [...ofBroker, ...elsewhere, ...processes])).toEqual([]);
  // A daemon keeps the e-mail address for the next login; it tells nobody.
  const logs = elsewhere.filter((path) => path.includes("/logs/"));
  const email = { "e-mail address": name };
  expect(found(email, [...ofBroker, ...logs, ...processes])).toEqual([]);
  const wireBytes = proxy.bytes();
  expect(disguises(name).some((look) => wireBytes.includes(look))).toBe(false);
});
