// What a session may not do by itself, as real processes: it waits for a yes from another terminal, or another machine.
import { lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Approval, Decision } from "#protocol/features/approval.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

/** As in the model's Bash. */
const SESSION = { env: { CLAUDE_CODE_SESSION_ID: "s-1", CLAUDECODE: "1" } };

const waiting = async (person: Person): Promise<Approval[]> =>
  (await person.ok("approvals", "list")).approvals;

const theOne = (person: Person): Promise<Approval> =>
  eventually(async () => (await waiting(person))[0] ?? null, "a request to wait");

const invites = async (person: Person) => (await person.ok("invite", "list")).invites.length;

async function alone() {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  await world.team(alice);
  return { world, alice };
}

test("a session's invite waits, says how to approve it, and is made once another terminal has said yes", async () => {
  const { alice } = await alone();
  const asking = alice.run(["invite", "create", "--role", "admin", "--workspace", "acme"], SESSION);
  const approval = await theOne(alice);
  expect(approval).toMatchObject({
    state: "waiting",
    verb: "invite create",
    scope: "reach-out",
    params: { role: "admin" },
    workspace: "acme",
    session: { id: "s-1" },
  });
  expect(await invites(alice)).toBe(0);
  const short = approval.id.slice(-8);
  const shown = await alice.run(["approvals", "show", short]);
  expect(shown.stdout).toContain("role");

  // The session that waits, another one, and what only says that it is one: none of them is the person.
  for (const env of [SESSION.env, { CLAUDE_CODE_SESSION_ID: "s-2" }, { CLAUDECODE: "1" }]) {
    for (const verb of ["approve", "deny"]) {
      const { code, stderr } = await alice.run(["approvals", verb, short, "--approval-mode", "yolo"], {
        env,
      });
      expect([code, stderr]).toEqual([7, expect.stringContaining("outside of a session")]);
    }
  }
  expect(await invites(alice)).toBe(0);

  expect(await alice.ok("approvals", "approve", short)).toMatchObject({ state: "approved" });
  const { code, stdout, stderr } = await asking;
  expect(code).toBe(0);
  expect(stdout).toContain("/i/");
  expect(stderr).toContain(`claudemesh approvals approve ${short}`);
  expect(await invites(alice)).toBe(1);
  await alice.fails(5, ["approvals", "approve", short]);
  expect(await invites(alice)).toBe(1);
});

test("a no, or no answer in time, is a refusal; so is a yes that comes after it", async () => {
  const { alice } = await alone();
  const asking = alice.run(["workspace", "delete", "acme", "--yes"], SESSION);
  const { id } = await theOne(alice);
  await alice.ok("approvals", "deny", id);
  expect(await asking).toMatchObject({ code: 7, stdout: "", stderr: expect.stringContaining("said no") });

  const forgotten = await alice.run(["invite", "create", "--timeout", "300ms"], SESSION);
  expect(forgotten).toMatchObject({ code: 7, stderr: expect.stringContaining("in time") });
  const [late] = forgotten.stderr.match(/approvals approve ([0-9a-f]{8})/)?.slice(1) ?? [];
  await alice.fails(5, ["approvals", "approve", String(late)]);

  const quit = await alice.run(["down", "--timeout", "300ms"], SESSION);
  expect(quit.code).toBe(7);
  expect(await invites(alice)).toBe(0);
  expect((await alice.ok("status")).workspaces).toHaveLength(2);

  const path = join(alice.home, "logs", "decisions.jsonl");
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  const written: Decision[] = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { decisions } = await alice.ok("audit", "decisions");
  expect(decisions).toEqual(written);
  expect(
    written.filter(({ who }) => who === "session").map(({ method, decision }) => [method, decision]),
  ).toEqual([
    ["workspace.delete", "denied"],
    ["invite.create", "expired"],
    ["daemon.stop", "expired"],
  ]);
});

test("the person's other machine sees the request, and its yes counts", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const passphrase = join(world.folder, "passphrase");
  const secret = "six words that nobody else has";
  writeFileSync(passphrase, `${secret}\n`);
  const by = ["--broker", broker.url, "--email", "alice@example.org", "--passphrase-file", passphrase];
  const [desk, bob] = await Promise.all([world.person("alice", broker), world.person("bob", broker)]);
  await world.team(desk, bob);
  await desk.ok("login", ...by, "--register");
  const laptop = world.newcomer("laptop");
  await laptop.ok("login", ...by);

  const asking = desk.run(["invite", "create", "--workspace", "acme"], SESSION);
  const approval = await theOne(laptop);
  expect(approval).toMatchObject({ verb: "invite create", workspace: "acme", session: { id: "s-1" } });
  expect(await waiting(bob)).toEqual([]);
  const inside = await laptop.run(["approvals", "approve", approval.id], SESSION);
  expect(inside.code).toBe(7);
  expect(await laptop.ok("approvals", "approve", approval.id)).toMatchObject({ state: "approved" });
  expect(await asking).toMatchObject({ code: 0, stdout: expect.stringContaining("/i/") });
  const { decisions } = await desk.ok("audit", "decisions");
  const { device } = await laptop.ok("whoami");
  expect(decisions.at(-1)).toMatchObject({ method: "invite.create", decision: "approved", by: device.name });

  const leaving = desk.run(["identity", "rotate", "--yes", "--passphrase-file", passphrase], SESSION);
  const rotation = await theOne(laptop);
  expect(rotation.params).toEqual({ passphrase: "(not shown)" });
  await laptop.ok("approvals", "deny", rotation.id);
  expect((await leaving).code).toBe(7);
  expect(readFileSync(join(desk.home, "logs", "decisions.jsonl"), "utf8")).not.toContain(secret);
});
