import { expect, test } from "vitest";
import { isNewer } from "./newer.ts";

/** In the order of semver.org's own example, with releases around it. */
const ORDER = [
  "0.1.0",
  "0.1.9",
  "0.1.10",
  "0.2.0",
  "1.0.0-alpha",
  "1.0.0-alpha.1",
  "1.0.0-alpha.beta",
  "1.0.0-beta",
  "1.0.0-beta.2",
  "1.0.0-beta.11",
  "1.0.0-rc.1",
  "1.0.0",
  "1.0.1",
  "10.0.0",
];

test("each release is newer than all before it, and than none behind it", () => {
  for (const [i, version] of ORDER.entries()) {
    for (const [j, other] of ORDER.entries()) {
      expect(isNewer(version, other), `${version} > ${other}`).toBe(i > j);
    }
  }
});

test("what a build adds behind + counts for nothing", () => {
  expect(isNewer("1.0.0+b", "1.0.0+a")).toBe(false);
});

test.each([
  ["1", "0.1.0"],
  ["2.0", "0.1.0"],
  ["next", "0.1.0"],
  ["0.2.0", ""],
  ["", ""],
])("what is no version is never newer, nor older: %s, %s", (version, than) => {
  expect(isNewer(version, than)).toBe(false);
  expect(isNewer(than, version)).toBe(false);
});
