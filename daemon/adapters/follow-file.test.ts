// Lines of a file that grows: whole, in order, each once, whatever happens meanwhile.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { followFile } from "./follow-file.ts";

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "follow-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "lines.jsonl");
}

function follow(path: string, line: (line: string) => void) {
  const followed = followFile(() => path, line);
  onTestFinished(followed.close);
  return followed;
}

test("a file that comes later is read from its beginning, lines as they are whole", () => {
  const path = scratch();
  const lines: string[] = [];
  const { look } = follow(path, (line) => lines.push(line));
  look();
  writeFileSync(path, "one\ntw");
  look();
  expect(lines).toEqual(["one"]);
  appendFileSync(path, "o\nthree é\n");
  look();
  expect(lines).toEqual(["one", "two", "three é"]);
});

test("what a line leads to may look again, and more may have come: the order stays", () => {
  const path = scratch();
  const lines: string[] = [];
  const { look } = follow(path, (line) => {
    if (line === "1") appendFileSync(path, "4\n");
    lines.push(line);
    look();
  });
  writeFileSync(path, "1\n2\n3\n");
  look();
  expect(lines).toEqual(["1", "2", "3", "4"]);
});

test("of a long file the end is read, without the line that is cut", () => {
  const path = scratch();
  writeFileSync(path, `${"x".repeat(99)}\n`.repeat(20_000));
  const lines: string[] = [];
  follow(path, (line) => lines.push(line)).look();
  expect(lines.length).toBeGreaterThan(10_000);
  expect(lines.length).toBeLessThan(11_000);
  expect(lines.every((line) => line.length === 99)).toBe(true);
});

test("nothing is read any more once it is closed, not even by a line that closes", () => {
  const path = scratch();
  const lines: string[] = [];
  const followed = follow(path, (line) => {
    lines.push(line);
    if (line === "last") followed.close();
  });
  writeFileSync(path, "last\n");
  followed.look();
  appendFileSync(path, "more\n");
  followed.look();
  expect(lines).toEqual(["last"]);
});
