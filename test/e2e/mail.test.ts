// Invites by e-mail, with a real SMTP server, a real broker and the verbs that people type.
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mailServer } from "#test/mail-server.ts";
import { canaries, filesUnder } from "./canary.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

async function mailingWorld() {
  const world = createWorld();
  const smtp = await mailServer();
  const file = join(world.folder, "smtp.json");
  writeFileSync(file, JSON.stringify({ url: smtp.url, from: "claudemesh <mesh@example.org>" }), {
    mode: 0o600,
  });
  const broker = await world.broker(undefined, { flags: ["--smtp-file", file] });
  const [alice, bob] = await Promise.all([world.person("alice", broker), world.person("bob", broker)]);
  await alice.ok("workspace", "create", "acme");
  const listed = async (code: string) => {
    const { invites } = await alice.ok("invite", "list", "--workspace", "acme");
    return invites.find((invite: { code: string }) => invite.code === code);
  };
  return { world, smtp, broker, alice, bob, listed };
}

test("who was invited by e-mail asks, tells six words, is let in by them, and is announced", async () => {
  const { smtp, broker, alice, bob, listed } = await mailingWorld();
  const local = `n${randomBytes(9).toString("hex")}`;
  const email = `${local}@example.org`;
  const made = await alice.ok("invite", "create", "--workspace", "acme", "--email", email);
  expect(made).toMatchObject({ url: `${broker.url}/i/${made.code}`, role: "member", uses: 1, email });
  expect(await listed(made.code)).toMatchObject({ state: "pending", email, requests: [] });
  expect(smtp.mails).toHaveLength(1);
  expect(smtp.mails[0]?.to).toBe(email);
  expect(smtp.mails[0]?.text).toContain(`claudemesh join ${made.url}`);
  expect(smtp.mails[0]?.text).not.toContain("#");
  const page = await (await fetch(made.url)).text();
  expect(page).toContain("six words");

  const asked = await bob.ok("join", made.url, "--timeout", "1s");
  expect(asked).toMatchObject({
    waiting: true,
    state: "waiting for approval",
    member: { name: "bob", role: "member" },
  });
  expect(asked.words.split(" ")).toHaveLength(6);
  // Asked again, it is the same request; a human is told the words before the wait.
  const again = await bob.run(["join", made.url, "--timeout", "500ms"]);
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining(asked.words) });

  await eventually(async () => (await listed(made.code)).requests.length > 0, "the request at alice's");
  expect((await listed(made.code)).requests[0].words).toBe(asked.words);
  const { notices } = await alice.ok("inbox", "--unread");
  expect(notices).toMatchObject([{ kind: "asks to join", detail: { words: asked.words, email } }]);

  // Both daemons may end meanwhile.
  await Promise.all([alice.kill9(), bob.kill9()]);
  await bob.ok("status");
  const wrong = asked.words.split(" ").toReversed().join(" ");
  const refused = await alice.fails(9, ["invite", "approve", made.code, "--words", wrong]);
  expect(refused.message).toMatch(/fit nobody who asks: [2-6] of them are others/);
  await alice.fails(2, ["invite", "approve", made.code]);
  const approved = await alice.ok("invite", "approve", made.code, "--words", asked.words.toUpperCase());
  expect(approved).toMatchObject({ code: made.code, workspace: "acme", words: asked.words });

  await eventually(async () => JSON.stringify(await bob.ok("peers")).includes('"alice"'), "bob to be in");
  await eventually(async () => (await listed(made.code)).state === "accepted", "the invite to be accepted");
  await eventually(
    async () => JSON.stringify(await alice.ok("inbox")).includes("bob joined, invited by alice (e-mail)"),
    "the announcement",
  );
  expect(await bob.fails(6, ["join", made.url])).toMatchObject({ code: "conflict" });

  // The address: with the inviter alone. The secret: in no database.
  const kept = filesUnder(broker.data);
  expect(kept.length).toBeGreaterThan(2);
  expect(canaries(kept, [local, email])).toEqual([]);
  expect(
    canaries(
      filesUnder(alice.home).filter((path) => path.endsWith(".log")),
      [local],
    ),
  ).toEqual([]);
  expect(canaries(filesUnder(bob.home), [local])).toEqual([]);
});

test("the secret is in the inviter's keychain until somebody is in, and in no database", async () => {
  const { world, broker, alice, bob, listed } = await mailingWorld();
  const { url, code } = await alice.ok(
    "invite",
    "create",
    "--workspace",
    "acme",
    "--email",
    "bob@example.org",
  );
  const keys = filesUnder(join(alice.home, "keys")).filter((path) => path.endsWith(`invite-${code}`));
  expect(keys).toHaveLength(1);
  const secret = readFileSync(keys[0] ?? "").subarray(0, 16);
  const { words } = await bob.ok("join", url, "--timeout", "500ms");
  await eventually(async () => (await listed(code)).requests.length > 0, "the request");
  await alice.ok("invite", "approve", code, "--words", words);
  await eventually(async () => (await listed(code)).state === "accepted", "bob to be in");
  await eventually(
    async () => !filesUnder(join(alice.home, "keys")).includes(keys[0] ?? ""),
    "the secret to be gone",
  );

  const databases = filesUnder(world.folder).filter((path) => /\.(db(-wal)?|log)$/.test(path));
  expect(databases.length).toBeGreaterThan(6);
  expect(canaries(databases, [secret])).toEqual([]);
  expect(filesUnder(broker.data).length).toBeGreaterThan(0);
});

test("what can't be: no mail server, an address that is refused, a link by hand, somebody who may not, twenty a day", async () => {
  const { world, alice, bob, smtp, listed } = await mailingWorld();
  const email = async (code: number, to: string) =>
    alice.fails(code, ["invite", "create", "--workspace", "acme", "--email", to]);
  expect(await email(7, "nobody@example.org")).toMatchObject({ code: "refused" });
  expect((await email(7, "nobody@example.org")).message).not.toContain("nobody@");
  expect(await email(2, "bob@example.org, eve@example.org")).toMatchObject({ code: "usage" });
  const { invites } = await alice.ok("invite", "list", "--workspace", "acme");
  expect(invites.map(({ state }: { state: string }) => state)).toEqual(["revoked", "revoked"]);
  await alice.fails(2, [
    "invite",
    "create",
    "--workspace",
    "acme",
    "--email",
    "bob@example.org",
    "--uses",
    "2",
  ]);

  // By hand a link is good with its secret only.
  const link = await alice.ok("invite", "create", "--workspace", "acme");
  expect(await bob.fails(9, ["join", link.url.split("#")[0]])).toMatchObject({ code: "invite_malformed" });

  // Revoked while somebody waits: they are told when they look again.
  const mailed = await alice.ok("invite", "create", "--workspace", "acme", "--email", "bob@example.org");
  await bob.ok("join", mailed.url, "--timeout", "300ms");
  await alice.ok("invite", "revoke", mailed.code, "--workspace", "acme");
  expect((await listed(mailed.code)).state).toBe("revoked");
  await bob.fails(7, ["join", mailed.url, "--timeout", "5s"]);

  await bob.ok("join", link.url);
  await eventually(async () => (await bob.ok("workspace", "info", "acme")).epoch === 0, "bob's key");
  await bob.fails(4, ["invite", "create", "--workspace", "acme", "--email", "x@example.org"]);
  expect(smtp.mails).toHaveLength(1);

  const silent = await world.broker();
  const carol = await world.person("carol", silent);
  await carol.ok("workspace", "create", "elsewhere");
  const none = await carol.fails(7, [
    "invite",
    "create",
    "--workspace",
    "elsewhere",
    "--email",
    "x@example.org",
  ]);
  expect(none).toMatchObject({ code: "refused", message: "This broker sends no e-mail." });
});
