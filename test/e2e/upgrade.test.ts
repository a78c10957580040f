import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { VERSION } from "#adapters/version.ts";
import { thisCopy } from "#install/upgrade.ts";
import { installVersion } from "./installation.ts";
import { personAt } from "./person.ts";
import { createWorld } from "./world.ts";

const OLDER = "0.0.9";
const AUTHOR = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];

function git(folder: string, ...args: string[]): void {
  execFileSync("git", ["-C", folder, ...AUTHOR, ...args], { stdio: "pipe" });
}

/** A clone at the older version, and where it came from, which has the newer one. */
function checkout(folder: string): string {
  const launcher = installVersion(folder, OLDER);
  const root = dirname(dirname(launcher));
  writeFileSync(join(root, ".gitignore"), "node_modules\n/dist/\n/.setup/\n");
  git(root, "init", "--quiet", "--initial-branch", "main");
  git(root, "add", "--all");
  git(root, "commit", "--quiet", "--message", "older");
  git(folder, "clone", "--quiet", "--bare", root, "origin");
  git(root, "remote", "add", "origin", join(folder, "origin"));
  git(root, "fetch", "--quiet", "origin");
  git(root, "branch", "--quiet", "--set-upstream-to", "origin/main");

  git(folder, "clone", "--quiet", "origin", "desk");
  const manifest = join(folder, "desk", "package.json");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace(OLDER, VERSION));
  git(join(folder, "desk"), "commit", "--quiet", "--all", "--message", "newer");
  git(join(folder, "desk"), "push", "--quiet");
  return launcher;
}

test("a checkout is pulled and built, and the daemon is the newer one; then there is nothing newer", async () => {
  const { folder, newcomer } = createWorld();
  const { home } = newcomer("alice");
  const alice = personAt(home, folder, checkout(folder));
  const before = (await alice.ok("up", "--name", "alice", "--no-broker")).daemon;
  expect(before.version).toBe(OLDER);
  await alice.ok("send", "me", "kept");

  const done = await alice.ok("upgrade");
  expect(done).toMatchObject({ kind: "checkout", version: VERSION, upgraded: true });
  expect(done.daemon).toMatchObject({ version: VERSION, pid: await alice.daemonPid() });
  expect((await alice.ok("inbox")).messages).toHaveLength(1);
  expect(await alice.ok("upgrade")).toMatchObject({ version: VERSION, upgraded: false });
  expect(await alice.daemonPid()).toBe(done.daemon.pid);
});

test("a checkout that went a way of its own is left as it is, in git's own words", async () => {
  const { folder, newcomer } = createWorld();
  const { home } = newcomer("alice");
  const launcher = checkout(folder);
  const root = dirname(dirname(launcher));
  const alice = personAt(home, folder, launcher);
  const before = (await alice.ok("up", "--name", "alice", "--no-broker")).daemon;
  git(root, "commit", "--quiet", "--allow-empty", "--message", "mine");
  expect(await alice.fails(6, ["upgrade"])).toMatchObject({
    code: "conflict",
    message: expect.stringContaining("fast-forward"),
    hint: expect.stringContaining("--in-place"),
  });
  expect(await alice.daemonPid()).toBe(before.pid);
});

test("of any other copy it says how it came here, and fetches nothing by a mere name", () => {
  expect(thisCopy("/opt/node 24/lib/node_modules/claudemesh/bin/claudemesh")).toEqual({
    kind: "npm",
    root: "/opt/node 24/lib/node_modules/claudemesh",
    command: ["npm", "install", "--global", "--prefix", "/opt/node 24", "claudemesh@latest"],
  });
  expect(thisCopy("/home/alice/app/node_modules/claudemesh/bin/claudemesh")).toMatchObject({
    kind: "other",
    command: null,
  });
});
