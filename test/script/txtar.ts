/** A script file taken apart: lines of commands, then the files that it brings along (txtar: `-- name --` and what follows). */

/** `number` counts from 1, for messages. */
export type Line = { number: number; text: string };
export type Script = { lines: readonly Line[]; files: ReadonlyMap<string, string> };

const FILE = /^-- (\S+) --$/;

export function parseScript(text: string): Script {
  const files = new Map<string, string>();
  const lines: Line[] = [];
  let file: string | null = null;
  for (const [i, line] of text.split("\n").entries()) {
    const name = line.match(FILE)?.[1];
    if (name !== undefined) {
      file = name;
      files.set(name, "");
    } else if (file !== null) {
      files.set(file, `${files.get(file)}${line}\n`);
    } else if (line.trim() !== "" && !line.startsWith("#")) {
      lines.push({ number: i + 1, text: line });
    }
  }
  // What ends the script file is no empty line of its last section.
  if (file !== null) files.set(file, (files.get(file) ?? "").replace(/\n$/, ""));
  return { lines, files };
}

export type Variables = ReadonlyMap<string, string>;

/**
 * Words of a line: apart by spaces, `$NAME` replaced, `#` begins a comment. Single quotes keep spaces and replace
 * nothing; `''` within them is one quote. @throws Error for an unknown variable or an open quote
 */
export function wordsOf(line: string, variables: Variables): string[] {
  const words: string[] = [];
  let word: string | null = null;
  const parts = line.matchAll(/'(?:[^']|'')*'|'|\s+|[^\s']+/g);
  for (const [part] of parts) {
    if (part === "'") throw new Error("a quote isn't closed");
    if (/^\s/.test(part)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (part.startsWith("#") && word === null) break;
    else if (part.startsWith("'")) word = (word ?? "") + part.slice(1, -1).replaceAll("''", "'");
    else word = (word ?? "") + expand(part, variables);
  }
  if (word !== null) words.push(word);
  return words;
}

function expand(text: string, variables: Variables): string {
  return text.replace(/\$\{?([A-Za-z_]\w*)\}?/g, (_, name) => {
    const value = variables.get(name);
    if (value === undefined) throw new Error(`there is no variable $${name}`);
    return value;
  });
}

/** A file's text with the variables that there are. */
export function expandFile(text: string, variables: Variables): string {
  return text.replace(/\$\{?([A-Za-z_]\w*)\}?/g, (whole, name) => variables.get(name) ?? whole);
}
