// From files as Claude Code writes them: what was done in them, and how far back they are read.
import { readFileSync, truncateSync } from "node:fs";
import { expect, test } from "vitest";
import { systemClock } from "#adapters/clock.ts";
import { type About, MOST_BYTES } from "#protocol/features/ask.ts";
import { type Transcript, transcript } from "#test/transcript.ts";
import { claudeFiles } from "../adapters/claude-files.ts";
import { collect } from "./collect.ts";
import { fitting } from "./fitting.ts";
import { projectAt } from "./project.ts";

const CWD = "/home/alice/payments";
const BEGIN = Date.parse("2026-01-05T10:00:00Z");
const HOUR = 60 * 60 * 1000;
const ALL: readonly About[] = ["files", "commands", "tests", "summary"];

const session = () => transcript("s-1", CWD, BEGIN);

function told(of: Transcript, { about = ALL, since = 0, limit = 200, clock = systemClock } = {}) {
  const lines = claudeFiles.readBack({ session: "s-1", config: of.config });
  if (!lines) throw new Error("there is a transcript");
  return collect(lines, projectAt(CWD), { about, since, limit }, clock);
}

test("files with their edits, commands and tests with their outcome, the last words; nothing of what files hold", async () => {
  const it = session();
  it.prompt("please");
  it.edits(`${CWD}/src/new.ts`, { created: true });
  it.edits(`${CWD}/src/new.ts`);
  it.edits(`${CWD}/src/old.ts`);
  it.edits(`${CWD}/src/never.ts`, { failed: true });
  it.edits("/home/alice/.bashrc");
  it.edits(`${CWD}/mail/bob@example.com.txt`);
  it.runs("git status");
  it.runs("cat > src/x.ts <<'EOF'\nSECRET CONTENT\nEOF");
  it.runs("rm -rf /", { refused: true });
  it.runs("ls nowhere", { failed: true });
  it.runs(`cd ${CWD} && npx vitest run`, { output: "\u001b[32m Tests  5 passed (5)\u001b[39m\n" });
  it.runs("npm test | tail -3", { output: "Tests  1 failed | 4 passed (5)\n" });
  it.runs("pytest", { failed: true, output: "==== 1 failed in 0.1s ====" });
  it.begins("sleep 100");
  it.says("From a helper.", { isSidechain: true });
  it.says("Refunds work now.\n```ts\nSECRET CONTENT\n```\nNext: /home/alice/other.");
  it.says("API Error: overloaded", { isApiErrorMessage: true });
  const found = await told(it);
  expect(found).toMatchObject({ outside: 1, branch: "main", model: "claude-test-1", isCut: false });
  expect(found.files).toEqual([
    { path: "mail/[hidden]", edits: 1, created: false },
    { path: "src/old.ts", edits: 1, created: false },
    { path: "src/new.ts", edits: 2, created: true },
  ]);
  const brief = (all: typeof found.commands) => all.map(({ command, ok }) => [command, ok]);
  expect(brief(found.commands)).toEqual([
    ["sleep 100", null],
    ["ls nowhere", false],
    ["cat > src/x.ts <<'EOF' (+2 lines)", true],
    ["git status", true],
  ]);
  expect(found.tests.map(({ command, ok, line }) => [command, ok, line])).toEqual([
    ["pytest", false, "==== 1 failed in 0.1s ===="],
    ["npm test | tail -3", false, "Tests  1 failed | 4 passed (5)"],
    ["npx vitest run", true, "Tests  5 passed (5)"],
  ]);
  expect(found.summary).toMatchObject({
    from: "words",
    text: "Refunds work now.\n[code]\nNext: [outside]",
  });
  expect(JSON.stringify(found)).not.toContain("SECRET");
});

test("the newer of the client's summary and the model's words is the summary", async () => {
  const it = session();
  it.says("Old words.");
  it.compact("This session is being continued. Refunds are done; TOKEN=hunter2 was set.");
  expect((await told(it)).summary).toMatchObject({
    from: "compact",
    text: expect.not.stringContaining("hunter2"),
  });
  it.says("New words.");
  expect((await told(it, { about: ["summary"] })).summary).toMatchObject({
    from: "words",
    text: "New words.",
  });
});

test("it ends at the time asked for, and says from when it tells", async () => {
  const it = session();
  for (let n = 0; n < 40; n++) it.runs(`old ${n}`);
  it.pause(2 * HOUR);
  it.runs("new 1");
  const first = it.now();
  it.runs("new 2");
  const found = await told(it, { since: it.now() - HOUR });
  expect(found.commands.map(({ command }) => command)).toEqual(["new 2", "new 1"]);
  expect(found).toMatchObject({ reachedSince: true, newest: it.now(), oldest: first - 1000 });
  expect(await told(it)).toMatchObject({ reachedSince: false, oldest: BEGIN + 1000 });
});

test("a line that is damaged, half-written, unknown, or much too long is passed over", async () => {
  const it = session();
  it.runs("first");
  it.write('{"type":"user","mess\n\n\u0000\u0000\n{"type":"assistant"}\n[1,2]\n"type":"user"\n');
  it.entry({ type: "file-history-snapshot", snapshot: {} });
  it.entry({ type: "brand-new-type", message: { content: [{ type: "tool_use" }] } });
  it.entry({ type: "assistant", message: { content: [null, 7, { type: "tool_use", name: "Bash" }] } });
  it.prompt("x".repeat(3 * 1024 * 1024));
  it.runs("second");
  it.runs("third");
  truncateSync(it.path, readFileSync(it.path).length - 40);
  const found = await told(it);
  expect(found.commands.map(({ command, ok }) => [command, ok])).toEqual([
    ["third", null],
    ["second", true],
    ["first", true],
  ]);
});

test("entries are told whole across the borders of what is read at once", async () => {
  const it = session();
  for (let n = 0; n < 400; n++) it.runs(`echo ${n}`, { output: "é".repeat(n * 7) });
  const found = await told(it, { limit: 200 });
  expect(found.commands.map(({ command }) => command)).toEqual(
    Array.from({ length: 200 }, (_, i) => `echo ${399 - i}`),
  );
  expect(found.commands.every(({ ok }) => ok === true)).toBe(true);
  expect(found.notKept).toMatchObject({ commands: 200 });
});

test("what takes too long ends with what was found", async () => {
  const it = session();
  for (let n = 0; n < 400; n++) it.runs(`echo ${n}`, { output: "x".repeat(2000) });
  let now = 0;
  const clock = { now: () => (now += 3000) };
  const found = await told(it, { clock });
  expect(found).toMatchObject({ isCut: true, reachedSince: false });
  expect(found.commands[0]?.command).toBe("echo 399");
});

test("an answer holds the newest, oldest first, in bounded entries and bytes, and says how many there were before", async () => {
  const it = session();
  for (let n = 0; n < 300; n++) {
    it.runs(`npm test -- ${"t".repeat(250)} ${n}`, { output: `Tests  ${n} passed (${n})` });
    it.edits(`${CWD}/src/${"f".repeat(100)}/${n}.ts`);
    it.runs(`make ${n}`);
  }
  it.says("w".repeat(5000));
  const found = await told(it);
  const answer = fitting(found, 200);
  expect(JSON.stringify({ ...answer, summary: found.summary }).length).toBeLessThan(MOST_BYTES);
  const { files, commands, tests, more } = answer;
  expect(Math.min(files.length, commands.length, tests.length)).toBeGreaterThan(10);
  expect(files.length + commands.length + tests.length).toBeLessThanOrEqual(200);
  expect(more).toMatchObject({
    files: 300 - files.length,
    commands: 300 - commands.length,
    tests: 300 - tests.length,
  });
  expect(commands.at(-1)?.command).toBe("make 299");
  expect(fitting(found, 10)).toMatchObject({ more: { files: 290, commands: 290, tests: 290 } });
});
