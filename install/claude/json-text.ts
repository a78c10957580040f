/**
 * Changes in JSON that people keep by hand: only what is added or taken out moves, every other byte stays, comments too.
 * The parser is jsonc-parser's; its own `modify` re-formats the neighbours, and takes their comments along.
 */
import {
  createScanner,
  findNodeAtLocation,
  type Node,
  type ParseError,
  parse,
  parseTree,
} from "jsonc-parser";
import { MeshError } from "#protocol/errors.ts";

export type Path = readonly (string | number)[];
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** The scanner's kind of a comma: its enum has no value when types are stripped. */
const COMMA = 5;
const LENIENT = { allowTrailingComma: true };
const DEFAULT_INDENT = "  ";
/** Where entries are added or taken out. Of a key that stands twice the client reads the last one, and edits find the first. */
const CONTAINERS = [[], ["hooks"], ["permissions"], ["mcpServers"]];

/** Nothing but white space stands for an empty object. @throws MeshError bad_data, by `name` */
export function parseObject(text: string, name: string): JsonObject {
  if (text.trim() === "") return {};
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, LENIENT);
  const [first] = errors;
  if (first) {
    const line = text.slice(0, first.offset).split("\n").length;
    throw new MeshError(
      "bad_data",
      `${name} is damaged: line ${line} is no JSON.`,
      "Mend it, and try again.",
    );
  }
  const twice = CONTAINERS.flatMap((key) => repeatedKeys(text, key))[0];
  if (twice !== undefined)
    throw new MeshError("bad_data", `In ${name}, "${twice}" stands twice.`, "Take one out, and try again.");
  if (isObject(value)) return value;
  throw new MeshError("bad_data", `${name} holds no JSON object.`, "Mend it, and try again.");
}

/** Whether others take it for JSON as well: without comments and commas too many. */
export function isStrict(text: string): boolean {
  try {
    JSON.parse(text.trim() || "{}");
    return true;
  } catch {
    return false;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

export function valueAt(root: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((value, key) => {
    if (typeof key === "number") return isList(value) ? value[key] : undefined;
    return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, root);
}

/** Puts `value` at the path, in place of what is there; what leads to it is made. */
export function put(text: string, path: Path, value: Json): string {
  const there = nodeAt(text, path);
  if (there)
    return spliced(
      text,
      there.offset,
      there.length,
      written(value, style(text), lineIndent(text, there.offset)),
    );
  const [parent, key, inner] = deepest(text, path, value);
  return insert(text, parent, (indent) => `${JSON.stringify(key)}: ${written(inner, style(text), indent)}`);
}

/** Adds `value` behind the last of the list at the path. */
export function append(text: string, path: Path, value: Json): string {
  const list = nodeAt(text, path);
  if (!list) return put(text, path, [value]);
  return insert(text, list, (indent) => written(value, style(text), indent));
}

/** Takes out what is at the path, with its comma and, where it had lines of its own, with these. */
export function remove(text: string, path: Path): string {
  const value = nodeAt(text, path);
  if (!value) return text;
  const node = value.parent?.type === "property" ? value.parent : value;
  const siblings = node.parent?.children ?? [];
  const previous = siblings[siblings.indexOf(node) - 1];
  const end = node.offset + node.length;
  const comma = commaBehind(text, end);
  const [from, to] = wholeLines(text, node.offset, comma === null ? end : comma + 1);
  const without = spliced(text, from, to - from, "");
  // It was the last one, so the comma before it separates nothing any more.
  const before = comma === null && previous ? commaBehind(text, previous.offset + previous.length) : null;
  return before === null ? without : spliced(without, before, 1, "");
}

function repeatedKeys(text: string, path: Path): string[] {
  const keys = (nodeAt(text, path)?.children ?? []).map((property) => String(property.children?.[0]?.value));
  return keys.filter((key, i) => keys.indexOf(key) !== i);
}

function nodeAt(text: string, path: Path): Node | undefined {
  const root = parseTree(text, [], LENIENT);
  return root && findNodeAtLocation(root, [...path]);
}

/** The nearest object that is there, the key to add to it, and the value with what was still missing around it. */
function deepest(text: string, path: Path, value: Json): [Node | undefined, string, Json] {
  const parentPath = path.slice(0, -1);
  const key = String(path.at(-1));
  const parent = nodeAt(text, parentPath);
  return parent || parentPath.length === 0
    ? [parent, key, value]
    : deepest(text, parentPath, { [key]: value });
}

/** Behind the last of an object or list: on a line of its own, but for a list or object that is all on one line. */
function insert(text: string, container: Node | undefined, item: (indent: string) => string): string {
  const { eol, step } = style(text);
  if (!container) return `{${eol}${step}${item(step)}${eol}}${eol}`;
  const last = container.children?.at(-1);
  const close = container.offset + container.length - 1;
  const outer = lineIndent(text, container.offset);
  if (!last) {
    const inside = text.slice(container.offset + 1, close).trimEnd();
    const at = container.offset + 1 + inside.length;
    return spliced(text, at, close - at, `${eol}${outer}${step}${item(outer + step)}${eol}${outer}`);
  }
  const end = last.offset + last.length;
  const trailing = commaBehind(text, end);
  const comma = trailing === null ? "," : "";
  if (!text.slice(container.offset, close).includes("\n")) {
    const oneLine = JSON.stringify(parse(`[${container.type === "array" ? item("") : `{${item("")}}`}]`)[0]);
    const at = trailing === null ? end : trailing + 1;
    return spliced(text, at, 0, `${comma} ${container.type === "array" ? oneLine : oneLine.slice(1, -1)}`);
  }
  const first = container.children?.[0] ?? last;
  const indent = startsLine(text, first.offset) ? lineIndent(text, first.offset) : outer + step;
  // In front of the closing bracket's line, so that a comment behind the last one stays with it.
  const hasOwnLine = startsLine(text, close);
  const at = hasOwnLine ? text.slice(0, text.lastIndexOf("\n", close)).replace(/\r$/, "").length : close;
  const added = `${eol}${indent}${item(indent)}${trailing === null ? "" : ","}`;
  const withItem = spliced(text, at, 0, hasOwnLine ? added : `${added}${eol}${outer}`);
  return comma === "" ? withItem : spliced(withItem, end, 0, comma);
}

type Style = { eol: string; step: string };

function style(text: string): Style {
  return {
    eol: text.includes("\r\n") ? "\r\n" : "\n",
    step: /^([ \t]+)\S/m.exec(text)?.[1] ?? DEFAULT_INDENT,
  };
}

function written(value: Json, { eol, step }: Style, indent: string): string {
  return JSON.stringify(value, null, step).replaceAll("\n", `${eol}${indent}`);
}

/** Where the comma is that comes next behind `offset`, comments aside; null where something else does. */
function commaBehind(text: string, offset: number): number | null {
  const scanner = createScanner(text, true);
  scanner.setPosition(offset);
  return Number(scanner.scan()) === COMMA ? scanner.getTokenOffset() : null;
}

/** The range, and the white space and line end around it where nothing else is on its lines. */
function wholeLines(text: string, from: number, to: number): [number, number] {
  const [space = "", lineEnd] = /^[ \t]*(\r?\n)?/.exec(text.slice(to)) ?? [];
  const before = /[ \t]*$/.exec(text.slice(0, from))?.[0].length ?? 0;
  if (startsLine(text, from)) return [lineEnd === undefined ? from : from - before, to + space.length];
  if (before > 0) return [from - before, to];
  return [from, lineEnd === undefined ? to + space.length : to];
}

function startsLine(text: string, offset: number): boolean {
  return /(^|\n)[ \t]*$/.test(text.slice(0, offset));
}

/** The white space that the line of `offset` begins with. */
function lineIndent(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", offset - 1) + 1))?.[0] ?? "";
}

function spliced(text: string, at: number, length: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at + length);
}
