// The docs point at code; this keeps them from pointing beside it.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ROOT, sourceFiles } from "./sources.ts";

const LINK = /\[([^\]]+)\]\(([^)\s]+)\)/g;
/** A definition of `name`: function, constant, method, type, or the entry of a table. */
const definition = (name: string) =>
  new RegExp(`(function |const |type |^\\s+(async )?)${name}\\b\\s*[(:=<{]`);

const documents = sourceFiles().filter((path) => path.endsWith(".md"));

/** What is wrong with one link of a document, or undefined. */
function problem(document: string, text: string, target: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [path = "", line] = target.split("#L");
  const file = join(ROOT, dirname(document), path.split("#")[0] ?? "");
  if (!existsSync(file)) return `${target} isn't there`;
  if (line === undefined) return undefined;
  const name = text.replaceAll("`", "");
  const lines = readFileSync(file, "utf8").split("\n");
  const found = lines.findIndex((one) => definition(name).test(one)) + 1;
  if (found === 0) return `${path} defines no ${name}`;
  return definition(name).test(lines[Number(line) - 1] ?? "")
    ? undefined
    : `${name} is at ${path}#L${found}, not L${line}`;
}

test("every link of the docs leads somewhere, and the trace to the lines that it names", () => {
  expect(documents).toContain("docs/ARCHITECTURE.md");
  const problems = documents.flatMap((document) =>
    Array.from(readFileSync(join(ROOT, document), "utf8").matchAll(LINK), ([, text = "", target = ""]) => {
      const why = problem(document, text, target);
      return why && `${document}: ${why}`;
    }).filter((one) => one !== undefined),
  );
  expect(problems).toEqual([]);
});
