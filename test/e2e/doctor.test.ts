import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Person } from "./person.ts";
import { silentBroker } from "./silent-broker.ts";
import { createWorld } from "./world.ts";

type Check = { name: string; ok: boolean | null; detail: string; fix: string | null };

/** What it says, by the checks' names; it says it on stdout whatever it finds. */
async function diagnose(person: Person, ...flags: string[]) {
  const { code, stdout, stderr } = await person.run(["doctor", "--json", ...flags]);
  expect(stderr).toBe("");
  const { checks, repairs } = JSON.parse(stdout) as { checks: Check[]; repairs: string[] };
  const wrong = checks.filter(({ ok }) => ok === false);
  expect(code).toBe(wrong.length > 0 ? 1 : 0);
  for (const { fix } of wrong) expect(fix).toMatch(/\w/);
  return {
    checks,
    repairs,
    wrong: wrong.map(({ name }) => name),
    of: (name: string) => checks.find((one) => one.name === name),
  };
}

const alone = () => createWorld().person("alice", null, ["--name", "alice", "--no-broker"]);
const pathIn = (person: Person, ...names: string[]) => join(person.home, ...names);

test("where all is well it says so of each thing, and ends with 0", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  const { checks, repairs, wrong } = await diagnose(alice);
  expect([wrong, repairs]).toEqual([[], []]);
  expect(checks.map(({ name }) => name)).toEqual([
    "runtime",
    "home",
    "disk",
    "config",
    "keys",
    "database account",
    "database personal",
    "sockets",
    "logs",
    "leftovers",
    "service",
    "daemon",
    "version",
    "policy",
    "link personal",
    "clock personal",
    "records personal",
  ]);
  // The home of a test isn't the account's: no service manager would look into it.
  expect(checks.filter(({ ok }) => ok !== true)).toMatchObject([{ name: "service", ok: null }]);
  const { stdout } = await alice.run(["doctor"]);
  expect(stdout).toMatch(/✓ link personal +online at http/);
});

test("on a machine where nothing is yet it changes nothing and says what comes first", async () => {
  const fresh = createWorld().newcomer("fresh");
  const { wrong, of } = await diagnose(fresh);
  expect(wrong).toEqual(["daemon"]);
  expect(of("daemon")?.fix).toContain("claudemesh up");
  expect(of("home")).toMatchObject({ ok: null });
  expect(existsSync(fresh.home)).toBe(false);
});

test("what is safe to mend is mended with --fix, each said; without it nothing is touched", async () => {
  const alice = await alone();
  await alice.kill9();
  chmodSync(alice.home, 0o755);
  chmodSync(pathIn(alice, "keys", "identity"), 0o644);
  writeFileSync(pathIn(alice, "config.json.999999.tmp"), "half");
  const config = JSON.parse(readFileSync(pathIn(alice, "config.json"), "utf8"));
  writeFileSync(pathIn(alice, "config.json"), JSON.stringify({ ...config, port: 40123 }).slice(0, -1));

  const before = await diagnose(alice);
  expect(before.wrong).toEqual(["home", "config", "sockets", "leftovers", "daemon"]);
  expect(before.repairs).toEqual([]);
  expect(statSync(alice.home).mode & 0o777).toBe(0o755);
  expect(await alice.fails(9, ["up"])).toMatchObject({
    code: "bad_data",
    hint: expect.stringContaining("doctor"),
  });

  const mended = await diagnose(alice, "--fix");
  expect(mended.wrong).toEqual([]);
  for (const words of [
    "keys/identity",
    alice.home,
    "config.json.damaged",
    "daemon.sock",
    "999999.tmp",
    "started",
  ]) {
    expect(mended.repairs.join("\n")).toContain(words);
  }
  expect(statSync(alice.home).mode & 0o777).toBe(0o700);
  expect(statSync(pathIn(alice, "keys", "identity")).mode & 0o777).toBe(0o600);
  // What could still be read of the configuration is kept.
  expect(JSON.parse(readFileSync(pathIn(alice, "config.json"), "utf8"))).toEqual({ ...config, port: 40123 });
  expect((await diagnose(alice, "--fix")).repairs).toEqual([]);
});

test("of a configuration that is all gone, the embedded broker's port is found in the account: links carry it", async () => {
  const alice = await createWorld().person("alice", null, ["--name", "alice"]);
  const { port } = JSON.parse(readFileSync(pathIn(alice, "config.json"), "utf8"));
  await alice.ok("down");
  writeFileSync(pathIn(alice, "config.json"), "");
  const { wrong } = await diagnose(alice, "--fix");
  expect(wrong).toEqual([]);
  expect(JSON.parse(readFileSync(pathIn(alice, "config.json"), "utf8")).port).toBe(port);
});

test("a damaged database and missing keys are named, with a daemon and without, and never mended by deleting", async () => {
  const alice = await alone();
  await alice.ok("workspace", "create", "acme");
  const { id } = (await alice.ok("status")).workspaces.find(({ slug }: { slug: string }) => slug === "acme");
  await alice.ok("down");
  const file = pathIn(alice, "workspaces", `${id}.db`);
  for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
  writeFileSync(file, "noise ".repeat(1000));
  const without = await diagnose(alice);
  expect(without.wrong).toEqual(["database acme", "daemon"]);
  const withIt = await diagnose(alice, "--fix");
  expect(withIt.wrong).toEqual(["database acme", "workspace acme"]);
  expect(withIt.of("database personal")).toMatchObject({ ok: true });
  expect(readFileSync(file, "utf8")).toContain("noise");

  await alice.ok("down");
  rmSync(pathIn(alice, "keys", "identity"));
  expect((await diagnose(alice)).of("keys")).toMatchObject({
    ok: false,
    fix: expect.stringContaining("backup"),
  });
});

test("brokers that can't be reached, or say nothing, are named with the reason", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const silent = await silentBroker();
  const alice = await world.person("alice", broker);
  await alice.ok("down");
  await alice.ok("up", "--broker", silent.url);
  await alice.ok("workspace", "create", "quiet");
  await broker.kill9();
  const { wrong, of } = await diagnose(alice);
  expect(wrong).toEqual(["link personal", "link quiet"]);
  expect(of("link personal")?.detail).toContain("ECONNREFUSED");
  expect(of("link quiet")?.detail).toContain("didn't answer");
});

test("a daemon that doesn't answer is a finding among the others", async () => {
  const alice = await alone();
  const pid = await alice.daemonPid();
  process.kill(pid, "SIGSTOP");
  try {
    const { wrong, of } = await diagnose(alice, "--timeout", "1s");
    expect(wrong).toEqual(["daemon"]);
    expect(of("daemon")?.detail).toContain("didn't answer");
    expect(of("database account")).toMatchObject({ ok: true });
  } finally {
    process.kill(pid, "SIGCONT");
  }
});

test("through a workspace's socket it tells of that workspace alone", async () => {
  const alice = await alone();
  await alice.ok("workspace", "create", "acme");
  const inside = createWorld().newcomer("inside");
  inside.env.CLAUDEMESH_SOCKET = pathIn(alice, "sockets", "acme.sock");
  const { checks } = await diagnose(inside, "--fix");
  expect(checks.map(({ name }) => name)).toEqual([
    "daemon",
    "version",
    "link acme",
    "clock acme",
    "records acme",
  ]);
});
