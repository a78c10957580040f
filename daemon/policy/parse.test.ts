// The file of rules: strict, and helpful about what is wrong in it.
import { expect, test } from "vitest";
import { MeshError } from "#protocol/errors.ts";
import { DEFAULTS, parsePolicy } from "./parse.ts";
import { TEMPLATE } from "./template.ts";

function wrongIn(text: string): { message: string; hint: string } {
  try {
    parsePolicy(text);
  } catch (error) {
    if (error instanceof MeshError && error.code === "bad_data") return error;
    throw error;
  }
  throw new Error("it was taken");
}

test("the file that is made first says what holds without it", () => {
  expect(parsePolicy(TEMPLATE)).toEqual(DEFAULTS);
  expect(parsePolicy("")).toEqual(DEFAULTS);
});

test("each example in it is right", () => {
  const examples = TEMPLATE.replace(/^#( {2}- )/gm, "$1");
  expect(parsePolicy(examples)).toMatchObject({ inbound: [{}, {}, {}], quiet: [{}, { urgent: "accept" }] });
});

test("one value is as good as a list of one", () => {
  expect(parsePolicy("inbound: [{ from: alice, kind: topic, do: hold }]").inbound).toEqual([
    { from: ["alice"], kind: ["topic"], do: "hold" },
  ]);
});

test.each([
  ["rate: 5\nhop: 3\n", "line 2, column 1", '"hop"', "Did you mean hops?"],
  [
    "inbound:\n  - from: alice\n    done: hold\n    do: hold\n",
    "line 3, column 5",
    '"done"',
    "Did you mean do",
  ],
  ["inbound:\n  - { from: a, do: hold, knd: topic }\n", "line 2, column 26", '"knd"', "Did you mean kind?"],
  [
    "quiet:\n  - { from: '22:00', to: '07:00', day: mon }\n",
    "line 2, column 35",
    '"day"',
    "Did you mean days?",
  ],
  ["inbound:\n  - { from: a, do: hide }\n", "line 2, column 20", "inbound.do", ""],
  ["quiet: [{ from: '25:00', to: '07:00' }]", "line 1, column 17", "quiet.from", ""],
  ["rate: many", "line 1, column 7", "rate", ""],
  ["rate: 1\nrate: 2\n", "line 2, column 1", "unique", ""],
  ["rate: [1", "line 1", "", ""],
  ["- rate", "line 1, column 1", "", ""],
  ["rate: *much", "line 1", "", ""],
])("%j is refused, with its place", (text, place, what, hint) => {
  const { message, hint: said } = wrongIn(text);
  expect(message).toContain(`policy.yaml, ${place}`);
  expect(message).toContain(what);
  expect(said).toContain(hint);
});
