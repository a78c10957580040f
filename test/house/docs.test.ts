// The docs point at code, and are made from it in part; this keeps them from pointing beside it, or telling of an older one.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { definition, LINK } from "#docs/generator/links.ts";
import { pages } from "#docs/generator/pages.ts";
import { ROOT, sourceFiles } from "./sources.ts";

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

test("the generated parts of the docs are those of today, else `npm run docs` makes them so", async () => {
  const all = await pages();
  expect(all.map(({ path }) => path)).toContain(`${ROOT}/docs/PROTOCOL.md`);
  for (const { now, fresh } of all) expect(now).toBe(fresh);
});
