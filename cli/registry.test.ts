import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isSource, ROOT, sourceFiles } from "#test/house/sources.ts";
import { GLOBAL_FLAGS } from "./flags.ts";
import { verbs } from "./registry.ts";
import type { Flag } from "./verb.ts";
import { helpPage, rowOf } from "./verbs/help.ts";

test("every flag says what it is for, and one with a value names it", () => {
  const flags = [GLOBAL_FLAGS, ...verbs.map(({ options = {} }) => options)].flatMap(Object.values<Flag>);
  expect(flags.filter(({ about }) => about === "")).toEqual([]);
  expect(flags.filter(({ type, value }) => (type === "string") !== (value !== undefined))).toEqual([]);
});

const names = new Set(verbs.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
const nouns = new Set(verbs.map(({ name }) => name.split(" ")[0]));
/** Ways of writing that stand for any verb, and what the launcher keeps for itself. */
const NOT_VERBS = new Set(["VERB", "LINK", "URL", "NOUN", "__daemon"]);

const WORDS = "((?:[\\w-]+ ?){1,2})";
/** In a span of code, after "Start it: ", and at a prompt or indented in a page. */
const IN_TEXT = new RegExp(`\\\\?\`claudemesh ${WORDS}[^\`\\n]*\`|: claudemesh ${WORDS}`, "g");
const IN_PAGE = new RegExp(`^(?: {4,}|.*\\$ )claudemesh ${WORDS}`, "gm");

/** Commands that a text tells people to run. */
function commandsIn(path: string): string[] {
  const text = readFileSync(`${ROOT}/${path}`, "utf8");
  const found = [...text.matchAll(IN_TEXT), ...(path.endsWith(".md") ? text.matchAll(IN_PAGE) : [])];
  return found.map(([, one, other]) => (one ?? other ?? "").trim());
}

function exists(command: string): boolean {
  const [first = "", second = ""] = command.split(" ");
  return (
    NOT_VERBS.has(first) ||
    names.has(first) ||
    names.has(`${first} ${second}`) ||
    (nouns.has(first) && (second === "" || second === "--help"))
  );
}

test("every command that an error, a page or the docs tell people to run is there", () => {
  const files = sourceFiles().filter(
    // One page is about verbs that aren't there: how they would be added.
    (path) =>
      (isSource(path) || path.endsWith(".md")) &&
      !path.endsWith(".test.ts") &&
      path !== "docs/adding-a-feature.md",
  );
  const missing = files.flatMap((path) =>
    commandsIn(path)
      .filter((command) => !exists(command))
      .map((command) => `${path}: claudemesh ${command}`),
  );
  expect(files.flatMap(commandsIn).length).toBeGreaterThan(40);
  expect(missing).toEqual([]);
});

test("help fits a screen, names every verb that people run, and each verb has an example that begins with it", () => {
  const lines = helpPage(verbs, []).split("\n");
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  for (const verb of verbs) {
    const { name, aliases = [], examples } = verb;
    const { row, word } = rowOf(verb);
    const first = lines.findIndex((line) => line.startsWith(`  ${row} `));
    const last = lines.findIndex((line, i) => i > first && !line.startsWith("    "));
    expect(lines.slice(first, last).join(" ").split(/ {2,}/).includes(word)).toBe(!verb.inner);
    expect(helpPage(verbs, name.split(" "))).toContain(examples[0]);
    expect(
      examples.some((example) => [name, ...aliases].some((one) => example.includes(`claudemesh ${one}`))),
      name,
    ).toBe(true);
  }
});
