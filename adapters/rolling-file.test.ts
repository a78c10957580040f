import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openRollingFile, rolledPaths } from "./rolling-file.ts";

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "roll-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const lines = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `line ${from + i}\n`);

test("no file grows past the limit, no more than so many are kept, and nothing in between is missing", () => {
  const path = join(scratch(), "logs", "x.log");
  const limits = { maxBytes: 100, files: 3 };
  for (const line of lines(40)) openRollingFile(path, limits).write(line); // as after a restart each time
  const one = openRollingFile(path, limits);
  for (const line of lines(60, 40)) one.write(line);

  const paths = rolledPaths(path, 3);
  expect(paths.map((each) => each.slice(-7))).toEqual(["s/x.log", "x.1.log", "x.2.log"]);
  expect(readdirSync(join(path, ".."))).toHaveLength(3);
  for (const each of paths) expect(statSync(each).size).toBeLessThanOrEqual(100);
  const kept = paths
    .toReversed()
    .map((each) => readFileSync(each, "utf8"))
    .join("");
  expect(kept.endsWith("line 99\n")).toBe(true);
  expect(kept).toBe(lines(100).slice(-kept.trimEnd().split("\n").length).join(""));
  expect(kept.length).toBeGreaterThan(200);
});

test("a line longer than the limit has a file of its own", () => {
  const path = join(scratch(), "x.log");
  const file = openRollingFile(path, { maxBytes: 10, files: 3 });
  for (const line of ["a\n", `${"b".repeat(50)}\n`, "c\n"]) file.write(line);
  expect(rolledPaths(path, 3).map((each) => readFileSync(each, "utf8").slice(0, 1))).toEqual(["c", "b", "a"]);
});

test("only its owner reads it", () => {
  const path = join(scratch(), "logs", "x.log");
  openRollingFile(path).write("a\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
});

test.runIf(process.platform === "linux")("a full disk drops lines and throws nothing", () => {
  const path = join(scratch(), "x.log");
  symlinkSync("/dev/full", path);
  const file = openRollingFile(path);
  expect(() => file.write("lost\n")).not.toThrow();
});
