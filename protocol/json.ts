/** Strict JSON: one text for one value. A peer that writes the same value in another way is refused. */
import type { z } from "zod";
import { fromUtf8, utf8 } from "./bytes.ts";
import { type ErrorCode, MeshError } from "./errors.ts";

/** Ours have three levels at most. What nests deeper than this is refused before it is parsed. */
const MAX_DEPTH = 8;

const [QUOTE, BACKSLASH, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = utf8('"\\[]{}');

export type StrictJson<T> = { encode(value: T): Uint8Array; decode(bytes: Uint8Array): T };

/**
 * The schema's key order is the canonical order, no whitespace: `encode(decode(x))` is `x` or `decode` throws `code`.
 * Schemas hold strings, integers, booleans, null, arrays, strict objects; no floats, whose text forms differ.
 */
export function strictJson<T>(schema: z.ZodType<T>, code: ErrorCode, what: string): StrictJson<T> {
  const refuse = (why: string) =>
    new MeshError(code, `The ${what} is malformed: ${why}.`, "Update claudemesh on both sides.");
  const encode = (value: T) => {
    const checked = schema.safeParse(value);
    if (!checked.success) throw refuse(firstIssue(checked.error));
    return JSON.stringify(checked.data);
  };
  return {
    encode: (value) => utf8(encode(value)),
    decode(bytes) {
      if (nestsDeeperThan(MAX_DEPTH, bytes)) throw refuse("it nests too deep");
      const text = textOf(bytes, refuse);
      const parsed = schema.safeParse(parseJson(text, refuse));
      if (!parsed.success) throw refuse(firstIssue(parsed.error));
      if (JSON.stringify(parsed.data) !== text) throw refuse("it is not in canonical form");
      return parsed.data;
    },
  };
}

/** Whether brackets outside of strings nest deeper than that: one look at each byte, nothing is built. */
export function nestsDeeperThan(limit: number, json: Uint8Array): boolean {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (isString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) {
      isString = true;
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      if (++depth > limit) return true;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
      depth--;
    }
  }
  return false;
}

function textOf(bytes: Uint8Array, refuse: (why: string) => MeshError): string {
  try {
    return fromUtf8(bytes);
  } catch {
    throw refuse("it is not UTF-8");
  }
}

function parseJson(text: string, refuse: (why: string) => MeshError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse("it is not JSON");
  }
}

export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue ? `${issue.path.join(".") || "value"}: ${issue.message}` : "unknown reason";
}
