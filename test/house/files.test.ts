// How files are named, placed and filled.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SOURCES } from "#install/stale.mjs";
import { isSource, ROOT, sourceFiles } from "./sources.ts";

const MAX_LINES = 400;
const BANNED_FOLDERS = ["utils", "shared", "common", "helpers"];

interface File {
  readonly path: string;
  readonly text: string;
}

const RULES: Record<string, (file: File) => boolean> = {
  [`more than ${MAX_LINES} lines, and no "// Long because …" in the first five`]: ({ text }) => {
    const lines = text.split("\n");
    return (
      lines.length > MAX_LINES + 1 && !lines.slice(0, 5).some((line) => line.startsWith("// Long because "))
    );
  },
  "a folder whose name says nothing": ({ path }) =>
    path
      .split("/")
      .slice(0, -1)
      .some((folder) => BANNED_FOLDERS.includes(folder)),
  "a barrel": ({ path, text }) => /(^|\/)index\.(ts|mjs)$/.test(path) || /^export \*/m.test(text),
  "a default export": ({ path, text }) =>
    !path.endsWith("vitest.config.ts") && /^export default\b/m.test(text),
  // bin/claudemesh looks two folders deep for what is newer than dist/.
  "deeper than part/folder/folder": ({ path }) => isBundled(path) && path.split("/").length > 3,
};

function problems(file: File): string[] {
  return Object.entries(RULES).flatMap(([rule, breaks]) => (breaks(file) ? [`${file.path}: ${rule}`] : []));
}

function isBundled(path: string): boolean {
  return SOURCES.includes(path.split("/")[0] ?? "");
}

test("every source keeps the rules", () => {
  const files = sourceFiles().filter(isSource);
  expect(files.length).toBeGreaterThan(10);
  expect(files.flatMap((path) => problems({ path, text: readFileSync(`${ROOT}/${path}`, "utf8") }))).toEqual(
    [],
  );
});

test("the launcher and the build look at the same folders", () => {
  const launcher = readFileSync(`${ROOT}/bin/claudemesh`, "utf8");
  const parts = /^ {2}for part in (.*); do$/m.exec(launcher)?.[1]?.split(" ") ?? [];
  const files = Array.from(launcher.matchAll(/"\$root\/([\w-]+\.json)" -nt/g), (match) => match[1] ?? "");
  expect([...parts, ...files].sort()).toEqual([...SOURCES].sort());
});

describe("the check sees", () => {
  const long = "x\n".repeat(MAX_LINES + 1);

  test.each([
    ["a long file", "sdk/a.ts", long],
    ["a reason that comes too late", "sdk/a.ts", `\n\n\n\n\n// Long because it is\n${long}`],
    ["a banned folder", "sdk/utils/a.ts", ""],
    ["a barrel by name", "sdk/index.ts", ""],
    ["a barrel by content", "sdk/all.ts", 'export * from "./a.ts";'],
    ["a default export", "cli/main.ts", "export default 1;"],
    ["a deep file", "sdk/a/b/c.ts", ""],
  ])("%s", (_, path, text) => {
    expect(problems({ path, text })).toHaveLength(1);
  });

  test.each([
    ["a file at the limit", "sdk/a.ts", "x\n".repeat(MAX_LINES)],
    ["a long file with its reason", "sdk/a.ts", `// Long because the table is one piece.\n${long}`],
    ["a deep test", "test/a/b/c.ts", ""],
  ])("nothing wrong in %s", (_, path, text) => {
    expect(problems({ path, text })).toEqual([]);
  });
});
