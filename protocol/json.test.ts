import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { codeOf } from "#test/code-of.ts";
import { fromUtf8, utf8 } from "./bytes.ts";
import { strictJson } from "./json.ts";

const schema = z.strictObject({
  text: z.string(),
  count: z.int(),
  flag: z.boolean().optional(),
  inner: z.strictObject({ a: z.int(), b: z.int() }).nullable(),
  list: z.array(z.string()),
});

const json = strictJson(schema, "bad_record", "test value");
const accepted = '{"text":"a","count":1,"inner":{"a":1,"b":2},"list":["x"]}';

const values = fc.record(
  {
    text: fc.string({ unit: "binary" }),
    count: fc.maxSafeInteger().map((n) => n + 0),
    flag: fc.boolean(),
    inner: fc.option(fc.record({ a: fc.nat(), b: fc.nat() }, { noNullPrototype: true })),
    list: fc.array(fc.string({ unit: "grapheme" })),
  },
  { requiredKeys: ["text", "count", "inner", "list"], noNullPrototype: true },
);

describe("strict JSON", () => {
  test("comes back as it went, in both directions", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = json.encode(value);
        expect(json.decode(bytes)).toEqual(value);
        expect(json.encode(json.decode(bytes))).toEqual(bytes);
      }),
    );
  });

  test("writes keys in the schema's order, whatever order they were given in", () => {
    const value = { list: ["x"], inner: { b: 2, a: 1 }, count: 1, text: "a" };
    expect(fromUtf8(json.encode(value))).toBe(accepted);
  });

  test("refuses to write what the schema doesn't allow", () => {
    expect(codeOf(() => json.encode({ text: "a", count: 0.5, inner: null, list: [] }))).toBe("bad_record");
  });
});

describe("strict JSON refuses", () => {
  const replaced = (from: string, to: string) => accepted.replace(from, to);

  test.each([
    ["a space", replaced(",", ", ")],
    ["a line break at the end", `${accepted}\n`],
    ["a byte order mark", `\ufeff${accepted}`],
    ["another key order", replaced('"text":"a","count":1', '"count":1,"text":"a"')],
    ["another key order inside", replaced('"a":1,"b":2', '"b":2,"a":1')],
    ["a key given twice", replaced('"count":1', '"count":1,"count":1')],
    ["an unknown key", replaced('"count":1', '"count":1,"more":1')],
    ["an unknown key inside", replaced('"b":2', '"b":2,"c":3')],
    ["__proto__ as a key", replaced('"count":1', '"count":1,"__proto__":{}')],
    ["a missing key", replaced(',"list":["x"]', "")],
    ["null for a missing key", replaced('"count":1', '"count":1,"flag":null')],
    ["an integer written 1.0", replaced('"count":1', '"count":1.0')],
    ["an integer written 1e0", replaced('"count":1', '"count":1e0')],
    ["minus zero", replaced('"count":1', '"count":-0')],
    ["a fraction", replaced('"count":1', '"count":1.5')],
    ["a number that loses digits", replaced('"count":1', '"count":9007199254740993')],
    ["a number as a string", replaced('"count":1', '"count":"1"')],
    ["an escaped letter", replaced('"a"', '"\\u0061"')],
    ["an escaped letter in a key", replaced('"text"', '"te\\u0078t"')],
    ["an escaped slash", replaced('"a"', '"\\/"')],
    ["an escape in upper case", replaced('"a"', '"\\u001F"')],
    ["a raw control character", replaced('"a"', '"\u0001"')],
    ["two values", accepted + accepted],
    ["a cut value", accepted.slice(0, -1)],
    ["nothing", ""],
    ["null", "null"],
    ["an array", `[${accepted}]`],
    ["deep nesting", "[".repeat(100_000)],
  ])("%s", (_, text) => {
    expect(text).not.toBe(accepted);
    expect(codeOf(() => json.decode(utf8(text)))).toBe("bad_record");
  });

  test("what nests deeper than anything of ours, without parsing it", () => {
    const nested = (depth: number) => utf8(replaced('"x"', "[".repeat(depth - 2) + "]".repeat(depth - 2)));
    expect(() => json.decode(nested(9))).toThrow(/nests too deep/);
    expect(() => json.decode(nested(8))).toThrow(/list/);
  });

  test("no brackets inside of a string, however many", () => {
    const value = { text: '[{"\\'.repeat(50), count: 1, inner: null, list: ["\\", "["] };
    expect(json.decode(json.encode(value))).toEqual(value);
  });

  test("bytes that are not UTF-8, by its own named error", () => {
    const bytes = utf8(accepted);
    bytes[9] = 0xff;
    expect(codeOf(() => json.decode(bytes))).toBe("bad_record");
  });

  test("any other text of the same value", () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.constantFrom(" ", "\n", "\t"), (value, place, blank) => {
        const text = fromUtf8(json.encode(value));
        const at = place % (text.length + 1);
        const changed = text.slice(0, at) + blank + text.slice(at);
        const isSameText = codeOf(() => json.decode(utf8(changed))) === "accepted";
        // A blank inside a string makes another value; anywhere else it is refused.
        if (isSameText) expect(json.decode(utf8(changed))).not.toEqual(value);
      }),
    );
  });
});
