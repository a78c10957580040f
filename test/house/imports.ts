// Reads imports out of a source's text and compares them with the rules. By text, as TypeScript 7 has no stable API and a
// bundler's list leaves out the imports of types.

/** What the files of a part (a top folder) may import, besides their own neighbours. */
export interface Rule {
  /** Other parts, as `#part/…`. */
  readonly parts: readonly string[];
  /** Packages that any file of the part may import. */
  readonly packages: readonly string[];
  /** Where the world (`node:*`, sockets, databases, log files) may be imported: nowhere, in adapters and entries, everywhere. */
  readonly world: "nowhere" | "adapters" | "everywhere";
}

export type Rules = Readonly<Record<string, Rule>>;

const STATEMENT = /^[ \t]*(?:import|export)\b[^;'"`()]*?\bfrom\s*["']([^"']+)["']/gm;
const SIDE_EFFECT = /^[ \t]*import\s*["']([^"']+)["']/gm;
const CALL = /\b(?:import|require)\s*\(\s*["'`]([^"'`]+)["'`]/g;
const COMPUTED = /(?<![.\w])import\s*\(\s*[^"'`\s)]/;

/** Every module that the source names: `import`, `import type`, `export from`, `import()`, `import("…").Type`, `require()`. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  return [STATEMENT, SIDE_EFFECT, CALL].flatMap((pattern) =>
    Array.from(code.matchAll(pattern), (match) => match[1] ?? ""),
  );
}

/** Comments alone on their lines; one behind code cannot look like an import at a line's start. */
function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, "").replace(/^[ \t]*\/\/.*$/gm, "");
}

/**
 * @param path from the repository's root, e.g. `sdk/features/task.ts`
 * @param world packages that reach out of the process
 * @returns one sentence for each import that the rules forbid
 */
export function violations(rules: Rules, world: readonly string[], path: string, text: string): string[] {
  const part = path.split("/")[0] ?? "";
  const rule = rules[part];
  if (!rule) return [`${path}: the folder "${part}" has no line in the table`];
  const problems = importsOf(text)
    .map((name) => forbidden(rule, world, part, path, name))
    .filter((problem) => problem !== undefined);
  if (COMPUTED.test(withoutComments(text)) && !isFreeOfRules(path)) problems.push("imports a computed name");
  return problems.map((problem) => `${path}: ${problem}`);
}

function forbidden(
  rule: Rule,
  world: readonly string[],
  part: string,
  path: string,
  name: string,
): string | undefined {
  if (name.startsWith(".")) {
    return new URL(name, `file:///${path}`).pathname.startsWith(`/${part}/`)
      ? undefined
      : `"${name}" leaves the part: write #part/…`;
  }
  if (isFreeOfRules(path)) return undefined;
  if (name.startsWith("#")) {
    const target = name.slice(1).split("/")[0] ?? "";
    return [part, ...rule.parts].includes(target)
      ? undefined
      : `${part} may not import ${target} ("${name}")`;
  }
  const from = packageOf(name);
  if (world.includes(from)) {
    const allowed = rule.world === "everywhere" || (rule.world === "adapters" && touchesTheWorld(path));
    return allowed ? undefined : `"${name}" belongs into a file under adapters/`;
  }
  return rule.packages.includes(from) ? undefined : `${part} may not import the package "${from}"`;
}

/** Tests may set up whatever they need, and the docs are made from whatever there is. */
function isFreeOfRules(path: string): boolean {
  return /^(test|bench|docs)\/|\.(test|suite)\.ts$/.test(path);
}

function touchesTheWorld(path: string): boolean {
  const folders = path.split("/").slice(0, -1);
  return folders.includes("adapters") || /^[^/]+\/main\.ts$/.test(path);
}

function packageOf(name: string): string {
  if (name.startsWith("node:")) return "node:*";
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}
