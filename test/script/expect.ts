/** Whether what came is what a script wants: text and JSON with placeholders for what differs in every run. */
import { isDeepStrictEqual } from "node:util";

const PLACEHOLDERS: Record<string, string> = {
  id: "[A-Za-z0-9_-]{22}",
  record: "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
  short: "[0-9a-f]{8}",
  hash: "[A-Za-z0-9_-]{43}",
  time: "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z",
  clock: "\\d\\d:\\d\\d:\\d\\d",
  number: "-?\\d+(?:\\.\\d+)?",
  text: ".+",
};

const PLACEHOLDER = new RegExp(`<(${Object.keys(PLACEHOLDERS).join("|")})>`);

/** Fits texts that differ from `wanted` at most where it has placeholders. */
function pattern(wanted: string): RegExp {
  const parts = wanted
    .split(PLACEHOLDER)
    .map((part, i) => (i % 2 === 1 ? PLACEHOLDERS[part] : escaped(part)));
  return new RegExp(`^${parts.join("")}$`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** The first line that differs, or null. Spaces at the end of a line don't count: editors take them away. */
export function differsFrom(wanted: string, found: string): string | null {
  const lines = (text: string) => text.replace(/\n$/, "").split("\n");
  const [want, got] = [lines(wanted), lines(found)];
  for (let i = 0; i < Math.max(want.length, got.length); i++) {
    const [one, other] = [want[i]?.trimEnd(), got[i]?.trimEnd()];
    if (one === undefined || other === undefined || !pattern(one).test(other))
      return `line ${i + 1}: wanted ${JSON.stringify(one)}, found ${JSON.stringify(other)}`;
  }
  return null;
}

/** The first place where a JSON value isn't as wanted, or null. Fields must be exactly those that are wanted. */
export function jsonDiffersFrom(wanted: unknown, found: unknown, path = ""): string | null {
  const differs = `${path || "the value"}: wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`;
  if (wanted === "<any>") return null;
  if (wanted === "<number>") return typeof found === "number" ? null : differs;
  if (typeof wanted === "string")
    return typeof found === "string" && pattern(wanted).test(found) ? null : differs;
  if (typeof wanted !== "object" || wanted === null) return wanted === found ? null : differs;
  if (typeof found !== "object" || found === null || Array.isArray(wanted) !== Array.isArray(found))
    return differs;
  const keys = new Set([...Object.keys(wanted), ...Object.keys(found)]);
  for (const key of keys) {
    const [want, got] = [Reflect.get(wanted, key), Reflect.get(found, key)];
    if (!Object.hasOwn(wanted, key)) return `${path}.${key}: not wanted, found ${JSON.stringify(got)}`;
    if (!Object.hasOwn(found, key)) return `${path}.${key}: wanted ${JSON.stringify(want)}, isn't there`;
    const inner = jsonDiffersFrom(want, got, `${path}.${key}`);
    if (inner) return inner;
  }
  return null;
}

/** What is at `.a.b[0].c`; `[-1]` counts from the end, `[*]` is every element, `.length` an array's. */
export function at(value: unknown, path: string): unknown {
  const steps = [...path.matchAll(/\.([\w-]+)|\[(-?\d+|\*)\]/g)];
  if (steps.map(([step]) => step).join("") !== path)
    throw new Error(`${path} is no path: .a.b[0], .a[*].b, .a.length`);
  const walk = (one: unknown, [step, ...rest]: typeof steps): unknown => {
    if (!step) return one;
    const [, field, index] = step;
    if (field !== undefined)
      return walk(typeof one === "object" && one !== null ? Reflect.get(one, field) : undefined, rest);
    if (!Array.isArray(one)) return undefined;
    return index === "*" ? one.map((each) => walk(each, rest)) : walk(one.at(Number(index)), rest);
  };
  return walk(value, steps);
}

/** `wanted` as a script writes it: JSON, a bare word, or a /pattern/. */
export function isAsWritten(wanted: string, found: unknown): boolean {
  const regex = wanted.match(/^\/(.+)\/$/)?.[1];
  if (regex !== undefined) return new RegExp(regex, "m").test(String(found));
  return isDeepStrictEqual(found, parsed(wanted)) || found === wanted;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
