import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { append, isStrict, parseObject, put, remove } from "./json-text.ts";

describe("what is taken out leaves the rest as it is", () => {
  const text = '{\n  // mine\n  "a": [\n    1, // one\n    2 /* two */\n  ],\n  "b": 2\n}\n';
  test.each([
    [["a", 1], '{\n  // mine\n  "a": [\n    1 // one\n    /* two */\n  ],\n  "b": 2\n}\n'],
    [["a", 0], '{\n  // mine\n  "a": [\n    // one\n    2 /* two */\n  ],\n  "b": 2\n}\n'],
    [["b"], '{\n  // mine\n  "a": [\n    1, // one\n    2 /* two */\n  ]\n}\n'],
    [["a"], '{\n  // mine\n  "b": 2\n}\n'],
    [["c"], text],
  ])("%j", (path, wanted) => {
    expect(remove(text, path)).toBe(wanted);
  });

  test.each([
    [0, '{"a":[2, 3]}', '{"a":[2, 3,]}'],
    [1, '{"a":[1, 3]}', '{"a":[1, 3,]}'],
    [2, '{"a":[1, 2]}', '{"a":[1, 2,]}'],
  ])("on one line, item %i", (at, wanted, withComma) => {
    expect(remove('{"a":[1, 2, 3]}', ["a", at])).toBe(wanted);
    expect(remove('{"a":[1, 2, 3,]}', ["a", at])).toBe(withComma);
  });
});

describe("what is added is written as its neighbours are", () => {
  test.each([
    ["", '{\n  "n": [\n    1\n  ]\n}\n'],
    ['{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"n": [\n\t\t1\n\t]\n}'],
    ['{\r\n    "a": 1 // one\r\n}', '{\r\n    "a": 1, // one\r\n    "n": [\r\n        1\r\n    ]\r\n}'],
    ['{"a":1}', '{"a":1, "n":[1]}'],
    ['{\n  "n": [0]\n}', '{\n  "n": [0, 1]\n}'],
    ['{\n  "n": [\n    0, // zero\n  ],\n}', '{\n  "n": [\n    0, // zero\n    1,\n  ],\n}'],
    ["{ // why\n}", '{ // why\n  "n": [\n    1\n  ]\n}'],
  ])("%j", (text, wanted) => {
    expect(append(text, ["n"], 1)).toBe(wanted);
  });
});

/** Keys that can be told from those added, and no -0, which JSON has not. */
const key = fc.stringMatching(/^[a-z]{1,5}$/);
const { object } = fc.letrec((tie) => ({
  leaf: fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.string()),
  list: fc.array(tie("value"), { maxLength: 4 }),
  object: fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof({ maxDepth: 4 }, tie("leaf"), tie("list"), tie("object")),
}));

test("of any object in any layout: what is put in is there and nothing else is, and taken out again all is as before", () => {
  const layouts = [undefined, 1, 4, "\t"];
  fc.assert(
    fc.property(object, fc.constantFrom(...layouts), fc.boolean(), (value, layout, hasCrlf) => {
      const text = JSON.stringify(value, null, layout).replaceAll("\n", hasCrlf ? "\r\n" : "\n");
      const before = parseObject(text, "it");
      const made = append(put(text, ["NEW", "deep"], { x: [1] }), ["NEW", "list"], "y");
      expect(isStrict(made)).toBe(true);
      expect(parseObject(made, "it")).toEqual({ ...before, NEW: { deep: { x: [1] }, list: ["y"] } });
      expect(parseObject(remove(made, ["NEW"]), "it")).toEqual(before);
      if (Object.keys(before).length > 0) expect(remove(made, ["NEW"])).toBe(text);
      for (const one of Object.keys(before)) {
        const { [one]: _, ...others } = before;
        expect(parseObject(remove(text, [one]), "it")).toEqual(others);
        expect(isStrict(remove(text, [one]))).toBe(true);
      }
    }),
  );
});
