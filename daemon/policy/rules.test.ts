// Which rules are in force while their person edits the file.
import { expect, test } from "vitest";
import { createVirtualTime } from "#test/virtual-time.ts";
import type { PolicyFile } from "../ports.ts";
import { DEFAULTS } from "./parse.ts";
import { openRules } from "./rules.ts";
import { TEMPLATE } from "./template.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

function home(text: string | null = null, fails = false) {
  const time = createVirtualTime();
  let content = text;
  let changed = () => {};
  const file: PolicyFile = {
    path: "/home/policy.yaml",
    read: () => content,
    create(first) {
      if (fails) throw new Error("EROFS");
      content ??= first;
    },
    replace(next) {
      content = next;
      changed();
    },
    onChange(run) {
      changed = run;
      return () => {};
    },
  };
  const write = (next: string | null) => {
    content = next;
    changed();
  };
  const rules = openRules(file, { log, timers: time.timers });
  return { rules, time, write, content: () => content };
}

test("the first start makes the file; a further one leaves it alone", () => {
  const { rules, content } = home();
  expect(content()).toBe(TEMPLATE);
  expect(rules.now()).toEqual(DEFAULTS);
  expect(home("rate: 5").content()).toBe("rate: 5");
});

test("a home that can't be written to, or a broken file, keeps nothing from starting", () => {
  expect(home(null, true).rules.now()).toEqual(DEFAULTS);
  const { rules } = home("rate: many");
  expect(rules.now()).toEqual(DEFAULTS);
  expect(rules.trouble()?.message).toContain("policy.yaml, line 1, column 7");
});

test("a change counts once the file rests; one that is wrong keeps the rules from before, and is named", () => {
  const { rules, time, write } = home("rate: 5");
  let changes = 0;
  rules.onChange(() => changes++);
  // An editor empties the file first.
  write("");
  expect(rules.now().rate).toBe(5);
  write("rate: 7");
  time.advance(1000);
  expect([rules.now().rate, changes]).toEqual([7, 1]);
  write("rate: [");
  time.advance(1000);
  expect(rules.now().rate).toBe(7);
  expect(rules.trouble()?.message).toContain("line 1");
  write("rate: 7");
  time.advance(1000);
  expect(rules.trouble()).toBeNull();
  write(null);
  time.advance(1000);
  expect(rules.now()).toEqual(DEFAULTS);
});

test("what is saved is in force at once; what is wrong is refused, and the file as before", () => {
  const { rules, content } = home("rate: 5");
  expect(rules.save("rate: 9").rate).toBe(9);
  expect(() => rules.save("rates: 9")).toThrow("line 1, column 1");
  expect([rules.now().rate, content()]).toEqual([9, "rate: 9"]);
});
