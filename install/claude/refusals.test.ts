// Worlds that are broken, or somebody else's: a clear error, and everything as it was.
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { errorShape, MeshError } from "#protocol/errors.ts";
import { type ClaudeHome, createClaudeHome } from "#test/claude-home.ts";
import { processesOf } from "#test/e2e/ending.ts";
import { mountSmallDisk } from "#test/e2e/small-disk.ts";
import { eventually } from "#test/e2e/waiting.ts";
import { carryOut, planInstall, planUninstall, type Step } from "../main.ts";
import { clientAt } from "./client.ts";
import { addStep } from "./client-step.ts";

const LAUNCHER = "/opt/claudemesh/bin/claudemesh";
const ALL = { hooks: true, permissions: true, statusLine: true, skill: true, mcp: true };
const install = (others: readonly Step[] = []) => planInstall(ALL, others, LAUNCHER);

async function refusalOf(run: () => Promise<void>): Promise<{ code: string; message: string; hint: string }> {
  try {
    await run();
  } catch (error) {
    return errorShape(error);
  }
  throw new Error("it wasn't refused");
}

const installing = () => refusalOf(async () => carryOut(install(), install));

const settings = (content: string | Uint8Array) => (home: ClaudeHome) =>
  home.write(".claude/settings.json", content);
const ours = (entry: unknown) => JSON.stringify({ mcpServers: { claudemesh: entry } });

/** How it is broken, and what is named. */
const BROKEN: readonly [string, string, string, (home: ClaudeHome) => void][] = [
  ["damaged settings", "bad_data", "settings.json is damaged: line 2", settings('{\n  "a": 1 "b": 2\n}')],
  ["half a file of settings", "bad_data", "settings.json is damaged", settings('{"hooks": {')],
  ["settings that are a list", "bad_data", "settings.json holds no JSON object", settings("[]")],
  [
    "settings that are no UTF-8",
    "bad_data",
    "settings.json is damaged",
    settings(new Uint8Array([0x7b, 0xff, 0x7d])),
  ],
  ["hooks that are a list", "bad_data", "hooks is no object", settings('{"hooks": []}')],
  [
    "hooks of an event that are an object",
    "bad_data",
    "hooks.Stop is no list",
    settings('{"hooks": {"Stop": {}}}'),
  ],
  [
    "rules that are a text",
    "bad_data",
    "permissions.allow is no list",
    settings('{"permissions": {"allow": "*"}}'),
  ],
  ["a key that stands twice", "bad_data", '"hooks" stands twice', settings('{"hooks": {}, "hooks": {}}')],
  ["another status line", "conflict", "another status line", settings('{"statusLine": {"command": "mine"}}')],
  [
    "a folder for settings.json",
    "bad_data",
    "settings.json is no file",
    ({ home }) => mkdirSync(join(home, ".claude/settings.json"), { recursive: true }),
  ],
  ["a file for .claude", "bad_data", ".claude", (home) => home.write(".claude", "mine")],
  [
    "a link that leads nowhere",
    "bad_data",
    "leads nowhere",
    ({ home }) => {
      mkdirSync(join(home, ".claude"));
      symlinkSync("/nowhere/settings.json", join(home, ".claude/settings.json"));
    },
  ],
  [
    "read-only settings",
    "bad_data",
    "settings.json is read-only",
    (home) => home.write(".claude/settings.json", "{}", 0o444),
  ],
  [
    "a read-only folder",
    "bad_data",
    ".claude",
    (home) => {
      settings("{}")(home);
      chmodSync(join(home.home, ".claude"), 0o500);
    },
  ],
  [
    "another skill of that name",
    "conflict",
    "SKILL.md",
    (home) => home.write(".claude/skills/claudemesh/SKILL.md", "mine"),
  ],
  [
    "a damaged list of servers",
    "bad_data",
    ".claude.json is damaged",
    (home) => home.write(".claude.json", "{,}"),
  ],
  [
    "a list of servers with comments",
    "bad_data",
    ".claude.json",
    (home) => home.write(".claude.json", "{} // mine"),
  ],
  [
    "servers that are a list",
    "bad_data",
    "mcpServers",
    (home) => home.write(".claude.json", '{"mcpServers": []}'),
  ],
  [
    "another server of that name",
    "conflict",
    ".claude.json",
    (home) => home.write(".claude.json", ours({ type: "http", url: "https://mesh.example" })),
  ],
  ["a client that fails", "refused", "the organisation doesn't allow it", (home) => home.client("fails")],
  ["a client that writes nothing", "refused", "isn't in", (home) => home.client("lies")],
];

test.each(BROKEN)("%s: %s, and nothing is written", async (_, code, message, prepare) => {
  const home = createClaudeHome();
  home.write(".config/other", "mine");
  prepare(home);
  const before = home.tree();
  const said = await installing();
  expect(said).toMatchObject({ code, message: expect.stringContaining(message) });
  expect(said.hint).toMatch(/\w/);
  expect(home.tree()).toEqual(before);
});

test.each(["damages", "halfway"] as const)("what a client that %s left is taken back", async (manner) => {
  const home = createClaudeHome();
  home.write(
    ".claude.json",
    '{\n  "machineID": "m",\n  "mcpServers": {\n    "git": { "command": "git-mcp" }\n  }\n}',
  );
  home.client(manner);
  expect(await installing()).toMatchObject({ code: "refused" });
  expect(JSON.parse(home.read(".claude.json"))).toEqual({
    machineID: "m",
    mcpServers: { git: { command: "git-mcp" } },
  });
  expect(Object.keys(home.tree())).toEqual([".claude.json"]);
  expect(readdirSync(join(home.mesh, "install")).filter((name) => !name.startsWith("lock-"))).toEqual([]);
});

test("a client that hangs is ended with its children, and said to", async () => {
  const home = createClaudeHome();
  home.client("hangs");
  const step = addStep(clientAt(join(home.bin, "claude"), 500), join(home.home, ".claude.json"), LAUNCHER);
  const plan = { steps: [step], remarks: [] };
  const said = await refusalOf(() => carryOut(plan, () => plan));
  expect(said).toMatchObject({
    code: "timeout",
    message: expect.stringContaining("didn't answer within 0.5 s"),
  });
  expect(home.tree()).toEqual({});
  await eventually(async () => processesOf(home.mesh).length === 0, "the end of the client's child");
});

test.each(["no client", "a client"])(
  "with %s: when a later step fails, the earlier ones are taken back",
  async (client) => {
    const home = createClaudeHome();
    home.write(".claude/settings.json", '{ "model": "opus" } // mine\n', 0o640);
    home.write(".claude.json", "{}");
    if (client === "a client") home.client();
    const before = home.tree();
    const failing: Step = {
      changes: [{ path: "claudemesh.service", action: "create", what: "the service", diff: [] }],
      apply: () => Promise.reject(new MeshError("refused", "The service manager doesn't want it.", "")),
      undo() {},
    };
    const plan = () => install([failing]);
    const said = await refusalOf(() => carryOut(planInstall({ ...ALL }, [failing], LAUNCHER), plan));
    expect(said.message).toBe("The service manager doesn't want it.");
    expect(home.tree()).toEqual(before);
    expect(planUninstall([]).steps).toEqual([]);
  },
);

test("a file that changed after it was shown isn't written over", async () => {
  const home = createClaudeHome();
  const agreed = install();
  home.write(".claude/settings.json", '{ "model": "opus" }');
  const before = home.tree();
  expect(await refusalOf(() => carryOut(agreed, install))).toMatchObject({ code: "conflict" });
  expect(home.tree()).toEqual(before);
});

test("a damaged journal is said to be, and nothing is taken out by guess", async () => {
  const home = createClaudeHome();
  await carryOut(install(), install);
  const before = home.tree();
  writeFileSync(join(home.mesh, "install/journal.json"), '{"version": 1, "ent');
  const back = () => planUninstall([]);
  expect(await refusalOf(async () => carryOut(back(), back))).toMatchObject({ code: "bad_data" });
  expect(home.tree()).toEqual(before);
});

/** But for so many bytes; answers what to remove again. */
function fill(folder: string, leave: number): string {
  const path = join(folder, "filler");
  for (let size = 1024 * 1024; size > 0; size = Math.floor(size / 2)) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size));
    } catch {
      // Then half of that.
    }
  }
  truncateSync(path, Math.max(0, statSync(path).size - leave));
  return path;
}

test.for(["Claude Code's folder", "claudemesh's own folder"])(
  "%s on a disk that fills up at any point: all of it or nothing, and the way back",
  async (which, { skip }) => {
    const disk = mountSmallDisk(1);
    if (!disk) return skip("a disk that is full takes the right to mount one");
    const home = createClaudeHome();
    if (which.startsWith("claudemesh")) vi.stubEnv("CLAUDEMESH_HOME", disk.path);
    else symlinkSync(disk.path, join(home.home, ".claude"));
    home.write(".claude/settings.json", `{ "model": "opus" }${" ".repeat(3000)}`);
    const before = { ...home.tree(), disk: readdirSync(disk.path) };
    const outcomes = new Set<string>();
    for (const kib of [0, 4, 8, 12, 16, 20, 40, 80]) {
      const filler = fill(disk.path, kib * 1024);
      try {
        await carryOut(install(), install);
        outcomes.add("installed");
        expect(home.read(".claude/settings.json")).toContain("SessionStart");
      } catch (error) {
        outcomes.add(errorShape(error).code);
      }
      rmSync(filler);
      const back = () => planUninstall([]);
      if (outcomes.has("installed")) await carryOut(back(), back);
      expect({ ...home.tree(), disk: readdirSync(disk.path).filter((name) => name !== "install") }).toEqual(
        before,
      );
    }
    expect([...outcomes]).toEqual(["storage_full", "installed"]);
  },
);
