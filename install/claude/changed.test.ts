// What was changed between install and uninstall, by the person or by the client, stays; only what is ours goes.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { type ClaudeHome, createClaudeHome } from "#test/claude-home.ts";
import { carryOut, planInstall, planUninstall } from "../main.ts";

const LAUNCHER = "/opt/claudemesh/bin/claudemesh";
const ALL = { hooks: true, permissions: true, statusLine: true, skill: true, mcp: true };
const SETTINGS = ".claude/settings.json";
const SERVERS = ".claude.json";

let home: ClaudeHome;

beforeEach(() => {
  home = createClaudeHome();
});

async function install(launcher = LAUNCHER): Promise<void> {
  const plan = () => planInstall(ALL, [], launcher);
  await carryOut(plan(), plan);
}

async function uninstall(): Promise<readonly string[]> {
  const plan = () => planUninstall([]);
  const { remarks } = plan();
  await carryOut(plan(), plan);
  return remarks;
}

/** As the client writes its own files. */
const rewritten = (path: string, change: object) =>
  home.write(path, JSON.stringify({ ...JSON.parse(home.read(path)), ...change }, null, 2));

test("a line that the person added stays, with every comment and blank of theirs", async () => {
  const mine =
    '{\n  // the model\n  "model":   "opus",\n  "hooks": {\n    "Stop": [\n      { "hooks": [] } // mine\n    ]\n  }\n}\n';
  home.write(SETTINGS, mine);
  await install();
  home.write(SETTINGS, home.read(SETTINGS).replace('"model":', '"theme": "dark", // new\n  "model":'));
  await uninstall();
  expect(home.read(SETTINGS)).toBe(mine.replace('"model":', '"theme": "dark", // new\n  "model":'));
});

test("a settings.json that install made stays with what came into it, and goes when nothing did", async () => {
  await install();
  rewritten(SETTINGS, { model: "opus" });
  await uninstall();
  expect(JSON.parse(home.read(SETTINGS))).toEqual({ model: "opus" });
  rmSync(join(home.home, SETTINGS));
  await install();
  rewritten(SETTINGS, {});
  await uninstall();
  expect(Object.keys(home.tree())).toEqual([".claude"]);
});

test("a hook that joined one of ours stays, and so does a rule beside ours", async () => {
  await install();
  const settings = JSON.parse(home.read(SETTINGS));
  settings.hooks.Stop[0].hooks.push({ type: "command", command: "afplay done.wav" });
  settings.permissions.allow.unshift("Bash(ls)");
  home.write(SETTINGS, JSON.stringify(settings));
  await uninstall();
  expect(JSON.parse(home.read(SETTINGS))).toEqual({
    hooks: { Stop: [{ hooks: [{ type: "command", command: "afplay done.wav" }] }] },
    permissions: { allow: ["Bash(ls)"] },
  });
});

test("a rule of ours that the person had before stays theirs", async () => {
  home.write(SETTINGS, '{"permissions": {"allow": ["Bash(claudemesh send:*)"]}}');
  await install();
  rewritten(SETTINGS, { model: "opus" });
  await uninstall();
  expect(JSON.parse(home.read(SETTINGS))).toEqual({
    permissions: { allow: ["Bash(claudemesh send:*)"] },
    model: "opus",
  });
});

test.each(["no client", "a client"])(
  "%s: what a session wrote into its list of servers stays",
  async (client) => {
    if (client === "a client") home.client();
    home.write(SERVERS, '{"numStartups": 3}');
    await install();
    rewritten(SERVERS, { numStartups: 4 });
    await uninstall();
    expect(JSON.parse(home.read(SERVERS))).toMatchObject({ numStartups: 4 });
    expect(home.read(SERVERS)).not.toContain("claudemesh");
  },
);

test.each(["fails", "lies"] as const)(
  "a client that %s at the end doesn't keep the server in",
  async (manner) => {
    home.client();
    await install();
    rewritten(SERVERS, { numStartups: 4 });
    home.client(manner);
    await uninstall();
    expect(home.read(SERVERS)).not.toContain("claudemesh");
  },
);

test("a skill that the person changed stays, and they are told", async () => {
  await install();
  const path = ".claude/skills/claudemesh/SKILL.md";
  home.write(path, `${home.read(path)}\nmine\n`);
  expect(await uninstall()).toEqual([expect.stringContaining(path)]);
  expect(home.read(path)).toContain("mine");
});

test("what the person removed doesn't come back", async () => {
  home.write(SETTINGS, '{ "model": "opus" }');
  await install();
  rmSync(join(home.home, ".claude"), { recursive: true });
  rmSync(join(home.home, SERVERS));
  await uninstall();
  expect(home.tree()).toEqual({});
});

test("after a move of claudemesh, install takes its older entries along, and uninstall still brings back what was there", async () => {
  home.write(SETTINGS, '{ "model": "opus" } // mine\n');
  home.write(SERVERS, '{"numStartups": 3}');
  home.client();
  const before = home.tree();
  await install("/older/bin/claudemesh");
  await install();
  expect(home.read(SETTINGS) + home.read(SERVERS)).not.toContain("/older/");
  await uninstall();
  expect(home.tree()).toEqual(before);
});

test("a rule that an older claudemesh added, and this one doesn't want, goes; the person's own stay", async () => {
  home.write(SETTINGS, '{"permissions": {"allow": ["Bash(claudemesh file:*)"]}}');
  await install();
  const journal = join(home.mesh, "install/journal.json");
  writeFileSync(
    journal,
    readFileSync(journal, "utf8").replaceAll("claudemesh recall:", "claudemesh invite:"),
  );
  home.write(SETTINGS, home.read(SETTINGS).replace("claudemesh recall:", "claudemesh invite:"));
  await install();
  const { allow } = JSON.parse(home.read(SETTINGS)).permissions;
  expect(allow).toContain("Bash(claudemesh file:*)");
  expect(allow).toContain("Bash(claudemesh recall:*)");
  expect(allow).not.toContain("Bash(claudemesh invite:*)");
});

test("a change between two installs is kept by the uninstall that follows", async () => {
  home.write(SETTINGS, '{ "model": "opus" } // mine\n');
  await install("/older/bin/claudemesh");
  home.write(SETTINGS, home.read(SETTINGS).replace('"opus"', '"haiku"'));
  await install();
  await uninstall();
  expect(home.read(SETTINGS)).toBe('{ "model": "haiku" } // mine\n');
});

test("without its journal, uninstall takes out what has our shape, and no rule that may be the person's", async () => {
  home.write(SETTINGS, '{ "model": "opus" }\n');
  await install();
  rmSync(home.mesh, { recursive: true });
  await uninstall();
  const settings = JSON.parse(home.read(SETTINGS));
  expect(settings).toMatchObject({ model: "opus", hooks: {}, permissions: { allow: expect.any(Array) } });
  expect(JSON.stringify(settings)).not.toContain(LAUNCHER);
  expect(home.read(SERVERS)).not.toContain("claudemesh");
  expect(Object.keys(home.tree()).filter((path) => path.includes("skills/claudemesh/"))).toEqual([]);
});

test("an install that died half-way, with some files written and some not, is taken back whole", async () => {
  home.write(SETTINGS, '{ "model": "opus" } // mine\n');
  const before = home.tree();
  await install();
  home.write(SETTINGS, '{ "model": "opus" } // mine\n');
  rmSync(join(home.home, SERVERS));
  await uninstall();
  expect(home.tree()).toEqual(before);
});

test("nothing of what was kept is left over", async () => {
  home.write(SETTINGS, "{}");
  await install();
  expect(readdirSync(join(home.mesh, "install")).filter((name) => name.endsWith(".backup"))).toHaveLength(1);
  await uninstall();
  expect(readdirSync(join(home.mesh, "install")).filter((name) => !name.startsWith("lock-"))).toEqual([]);
});
