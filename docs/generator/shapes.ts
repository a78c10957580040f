/** Schemas in a notation that people read: names for what has one, the doc comments of the source beside their fields. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Comments, commentsOf } from "./comments.ts";

export type Part = { module: object; path: string };

export type Shapes = {
  /** A schema as one expression; several lines where it is an object. */
  write(schema: unknown): string;
  /** The same, of what has a name: not that, but what it stands for. */
  define(schema: unknown): string;
  /** What stands above the constant or the key. */
  comment(path: string): string;
  /** Definitions of the names that were written, and of those that they use. */
  used(): { name: string; comment: string; text: string }[];
};

const INDENT = "  ";

export function createShapes(root: string, parts: readonly Part[]): Shapes {
  const names = new Map<unknown, string>();
  const fields = new Map<unknown, Map<string, string>>();
  const all = new Map<string, string>();
  const wanted = new Set<unknown>();

  /** Notes the comments of an object's fields, wherever in a constant it stands. */
  const learn = (value: unknown, path: string, comments: Comments): void => {
    const schema = inner(value);
    if (schema instanceof z.ZodObject) {
      const known = fields.get(schema) ?? new Map<string, string>();
      fields.set(schema, known);
      for (const [key, field] of Object.entries(schema.shape)) {
        const comment = comments.get(`${path}/${key}`);
        if (comment) known.set(key, comment);
        learn(field, `${path}/${key}`, comments);
      }
    } else if (schema instanceof z.ZodUnion) for (const one of schema.options) learn(one, path, comments);
    else if (!(schema instanceof z.ZodType) && typeof schema === "object" && schema !== null)
      for (const [key, one] of Object.entries(schema)) learn(one, `${path}/${key}`, comments);
  };

  for (const { module, path } of parts) {
    const comments = commentsOf(readFileSync(join(root, path), "utf8"));
    for (const [at, comment] of comments) all.set(at, comment);
    // A module's names come in an order of the loader's own.
    for (const [name, value] of Object.entries(module).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      if (value instanceof z.ZodType && !names.has(value)) names.set(value, name);
      learn(value, name, comments);
    }
  }

  /** Comments of a field follow it into objects that spread or extend the one where it was written. */
  const commentOn = (object: unknown, key: string, field: unknown): string => {
    const own = fields.get(object)?.get(key);
    if (own) return own;
    for (const [other, known] of fields)
      if (other instanceof z.ZodObject && other.shape[key] === field && !names.has(inner(field)))
        return known.get(key) ?? "";
    return "";
  };

  const write = (schema: unknown, indent = ""): string => {
    const name = names.get(schema);
    if (name === undefined) return define(schema, indent);
    wanted.add(schema);
    return name;
  };

  const define = (schema: unknown, indent = ""): string => {
    if (schema instanceof z.ZodOptional) return write(schema.unwrap(), indent);
    if (schema instanceof z.ZodNullable) return `${write(schema.unwrap(), indent)} | null`;
    if (schema instanceof z.ZodArray)
      return `${bracketed(schema.element, write(schema.element, indent))}[]${bounds(schema)}`;
    if (schema instanceof z.ZodRecord)
      return `{ [${write(schema.keyType)}]: ${write(schema.valueType, indent)} }`;
    if (schema instanceof z.ZodUnion && schema.options.some(isObject))
      return schema.options
        .map((one) => `\n${indent}${INDENT}| ${write(one, `${indent}${INDENT}`)}`)
        .join("");
    if (schema instanceof z.ZodUnion) return schema.options.map((one) => write(one, indent)).join(" | ");
    if (schema instanceof z.ZodObject) return object(schema, indent);
    return leaf(schema);
  };

  const object = (schema: z.ZodObject, indent: string): string => {
    const rows = Object.entries(schema.shape).map(([key, field]) => {
      const isOptional = field instanceof z.ZodOptional;
      const text = `${/^\w+$/.test(key) ? key : `"${key}"`}${isOptional ? "?" : ""}: ${write(field, indent + INDENT)}`;
      return { text, comment: commentOn(schema, key, field) };
    });
    const line = `{ ${rows.map(({ text }) => text).join(", ")} }`;
    const isShort =
      line.length + indent.length <= 100 &&
      rows.every(({ text, comment }) => comment === "" && !text.includes("\n"));
    if (rows.length === 0) return "{}";
    if (isShort) return line;
    const lines = rows.flatMap(({ text, comment }) => [
      ...(comment === "" ? [] : [`${indent}${INDENT}// ${comment}`]),
      `${indent}${INDENT}${text}`,
    ]);
    return `{\n${lines.join("\n")}\n${indent}}`;
  };

  return {
    write,
    define,
    comment: (path) => all.get(path) ?? "",
    used() {
      const done = new Map<unknown, string>();
      // A definition may want further names.
      for (;;) {
        const next = [...wanted].find((schema) => !done.has(schema));
        if (!next) break;
        done.set(next, define(next));
      }
      const found = [...names]
        .filter(([schema]) => done.has(schema))
        .map(([schema, name]) => ({ name, comment: all.get(name) ?? "", text: done.get(schema) ?? "" }));
      const twice = found.find(({ name }, i) => found.findIndex((one) => one.name === name) < i);
      if (twice) throw new Error(`two schemas of the protocol are called ${twice.name}`);
      return found;
    },
  };
}

/** What an optional or nullable value is when it is there. */
function inner(value: unknown): unknown {
  return value instanceof z.ZodOptional || value instanceof z.ZodNullable ? inner(value.unwrap()) : value;
}

function isObject(schema: unknown): boolean {
  return schema instanceof z.ZodObject;
}

/** As an element of an array: a choice of several needs brackets. */
function bracketed(schema: unknown, text: string): string {
  const isChoice = [z.ZodUnion, z.ZodNullable, z.ZodEnum].some((kind) => schema instanceof kind);
  return isChoice && text.includes(" | ") ? `(${text})` : text;
}

function bounds(schema: z.ZodType): string {
  const { maxItems } = z.toJSONSchema(schema, { unrepresentable: "any" });
  return maxItems === undefined ? "" : ` (at most ${maxItems})`;
}

/** A value without parts, by its JSON Schema. */
function leaf(schema: unknown): string {
  if (!(schema instanceof z.ZodType)) throw new Error("a leaf is a schema");
  const json = z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
  if (json.const !== undefined) return JSON.stringify(json.const);
  if (json.enum) return json.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (json.format === "date-time") return "string";
  if (json.type === "string") {
    const pattern = json.pattern === undefined ? "" : ` matching ${json.pattern}`;
    return `string${range(json.minLength, json.maxLength)}${pattern}`;
  }
  if (json.type === "integer") return `integer${range(json.minimum, json.maximum)}`;
  return typeof json.type === "string" ? json.type : "any";
}

function range(least: number | undefined, most: number | undefined): string {
  const low = least !== undefined && least > Number.MIN_SAFE_INTEGER ? least : undefined;
  const high = most !== undefined && most < Number.MAX_SAFE_INTEGER ? most : undefined;
  if (low !== undefined && high !== undefined) return ` ${low}…${high}`;
  if (low !== undefined) return ` ≥ ${low}`;
  return high === undefined ? "" : ` ≤ ${high}`;
}
