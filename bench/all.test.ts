import { expect, test } from "vitest";
import { benches } from "./all.ts";

test("each bench loads, under a name of its own", () => {
  const names = benches.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain("hop");
});
