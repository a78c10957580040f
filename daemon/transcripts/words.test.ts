import { expect, test } from "vitest";
import { wordsOf } from "./words.ts";

const HOUR = 60 * 60 * 1000;
const ALL = ["files", "commands", "tests", "summary"];

test.each([
  ["what have you touched in the last hour?", ["files"], HOUR],
  ["which files did you change in the past 3 days", ["files"], 72 * HOUR],
  ["did the tests pass?", ["tests"], null],
  ["did you run the tests in the last 30 min?", ["tests"], HOUR / 2],
  ["what did you run?", ["commands", "tests"], null],
  ["which commands", ["commands", "tests"], null],
  ["what are you doing?", ["summary"], null],
  ["edited files and status", ["files", "summary"], null],
])("%s", (question, about, sinceMs) => {
  expect(wordsOf(question)).toEqual({ about, limit: 200, sinceMs });
});

test("where nothing in particular is asked for: a little of everything", () => {
  expect(wordsOf("hm?")).toEqual({ about: ALL, limit: 10, sinceMs: null });
  expect(wordsOf("")).toEqual({ about: ALL, limit: 10, sinceMs: null });
  expect(wordsOf("tell me everything")).toEqual({ about: ALL, limit: 200, sinceMs: null });
});
