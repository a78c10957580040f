// install and then uninstall, on homes that people have: byte for byte what was there.
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { type ClaudeHome, createClaudeHome } from "#test/claude-home.ts";
import { carryOut, changesOf, planInstall, planUninstall } from "../main.ts";
import { HOOKS } from "./hooks.ts";
import { isStrict, parseObject, valueAt } from "./json-text.ts";
import { RULES } from "./rules.ts";

const LAUNCHER = "/opt/it's here/claude mesh/bin/claudemesh";
const ALL = { hooks: true, permissions: true, statusLine: false, skill: true, mcp: true };

const settings = (text: string) => (home: ClaudeHome) => void home.write(".claude/settings.json", text);

const HOMES: Record<string, (home: ClaudeHome) => void> = {
  "with nothing in it": () => {},
  "with an empty .claude": ({ home }) => mkdirSync(join(home, ".claude"), { mode: 0o750 }),
  "with comments, unknown keys and a comma too many": settings(
    '// mine\n{\n  "futureKey": { "a": [1, 2,], }, // why\n  /* here\n     too */ "env": { "X": "1" },\n}\n// end',
  ),
  "with hooks of their own for the same events": settings(
    JSON.stringify({
      hooks: {
        Stop: [{ hooks: [{ type: "command", command: "afplay done.wav" }] }],
        PreToolUse: [{ matcher: "Bash", hooks: [{ type: "command", command: "check.sh" }] }],
        SessionStart: [],
      },
    }),
  ),
  "with rules of their own, one of ours among them": settings(
    '{\n    "permissions": {\n        "allow": ["Bash(ls:*)", "Bash(claudemesh peers:*)"],\n        "deny": []\n    }\n}\n',
  ),
  "with empty lists and objects": settings('{"hooks": {}, "permissions": {"allow": [ ]}}'),
  "with a status line of their own": settings('{"statusLine": {"type": "command", "command": "mine.sh"}}'),
  "with tabs, CRLF and no last line end": settings('{\r\n\t"model": "opus",\r\n\t"hooks": {\r\n\t}\r\n}'),
  "with a byte order mark": settings('\ufeff{ "model": "opus" }\n'),
  "with an empty settings.json": settings(""),
  "with white space for settings": settings("\n\n  \n"),
  "with everything on a line": settings('{"model":"opus","permissions":{"allow":["Bash(ls)"]}}'),
  "with modes of their own": (home) => {
    home.write(".claude/settings.json", "{}", 0o640);
    home.write(".claude.json", "{}", 0o644);
  },
  "with other MCP servers, and other skills": (home) => {
    home.write(
      ".claude.json",
      '{\n  "numStartups": 3,\n  "mcpServers": {\n    "git": { "command": "git-mcp" }\n  }\n}',
    );
    home.write(".claude/skills/review/SKILL.md", "---\nname: review\n---\n");
  },
  "with an empty list of servers": (home) => void home.write(".claude.json", '{"mcpServers": {}}'),
  "with a link for settings.json": (home) => {
    home.write("dotfiles/claude.json", '{ "model": "opus" }\n', 0o644);
    mkdirSync(join(home.home, ".claude"));
    symlinkSync("../dotfiles/claude.json", join(home.home, ".claude/settings.json"));
  },
  "with links for .claude and .claude.json": (home) => {
    mkdirSync(join(home.home, "dotfiles/claude"), { recursive: true });
    home.write("dotfiles/servers.json", "{}");
    symlinkSync("dotfiles/claude", join(home.home, ".claude"));
    symlinkSync(join(home.home, "dotfiles/servers.json"), join(home.home, ".claude.json"));
  },
  "with CLAUDE_CONFIG_DIR elsewhere": (home) => {
    vi.stubEnv("CLAUDE_CONFIG_DIR", join(home.home, "config"));
    home.write("config/settings.json", '{ "model": "opus" }\n');
  },
};

const cases = Object.keys(HOMES).flatMap((name) => [
  [name, "no client"] as const,
  [name, "a client"] as const,
]);

test.each(cases)("a home %s, and %s", async (name, client) => {
  const home = createClaudeHome();
  HOMES[name]?.(home);
  if (client === "a client") home.client();
  const before = home.tree();
  const plan = () => planInstall(ALL, [], LAUNCHER);
  await carryOut(plan(), plan);

  const folder = process.env.CLAUDE_CONFIG_DIR ? "config" : ".claude";
  const text = home.read(`${folder}/settings.json`).replace(/^\ufeff/, "");
  const made = parseObject(text, "settings");
  for (const { event } of HOOKS)
    expect(JSON.stringify(valueAt(made, ["hooks", event]))).toContain("claudemesh");
  expect(valueAt(made, ["permissions", "allow"])).toEqual(expect.arrayContaining([...RULES]));
  if (!name.includes("comments")) expect(isStrict(text)).toBe(true);
  const servers = JSON.parse(home.read(folder === "config" ? "config/.claude.json" : ".claude.json"));
  expect(servers.mcpServers.claudemesh).toEqual({
    type: "stdio",
    command: LAUNCHER,
    args: ["mcp-serve"],
    env: {},
  });
  expect(home.read(`${folder}/skills/claudemesh/SKILL.md`)).toContain("name: claudemesh");

  const installed = home.tree();
  expect(changesOf(plan())).toEqual([]);
  await carryOut(plan(), plan);
  expect(home.tree()).toEqual(installed);

  const back = () => planUninstall([]);
  await carryOut(back(), back);
  expect(home.tree()).toEqual(before);
  expect(back().steps).toEqual([]);
});

test("parts that aren't wanted aren't written, and the status line only where it is", async () => {
  const home = createClaudeHome();
  const none = { hooks: false, permissions: false, statusLine: false, skill: false, mcp: false };
  expect(changesOf(planInstall(none, [], LAUNCHER))).toEqual([]);
  const line = () => planInstall({ ...none, statusLine: true }, [], LAUNCHER);
  await carryOut(line(), line);
  expect(Object.keys(home.tree())).toEqual([".claude", ".claude/settings.json"]);
  expect(JSON.parse(home.read(".claude/settings.json"))).toEqual({
    statusLine: { type: "command", command: expect.stringMatching(/claudemesh' statusline$/), padding: 0 },
  });
  const back = () => planUninstall([]);
  await carryOut(back(), back);
  expect(home.tree()).toEqual({});
});
