import fc from "fast-check";
import { expect, test } from "vitest";
import { padme } from "./padme.ts";

const lengths = fc.integer({ min: 0, max: 2 ** 31 });

test("a padded length holds the content, is at least 256 and stays as it is when padded again", () => {
  fc.assert(
    fc.property(lengths, (length) => {
      const padded = padme(length);
      expect(padded).toBeGreaterThanOrEqual(Math.max(length, 256));
      expect(padme(padded)).toBe(padded);
    }),
  );
});

test("padding grows nothing beyond 256 bytes by more than 12 %", () => {
  fc.assert(
    fc.property(lengths, (length) => {
      expect(padme(length)).toBeLessThanOrEqual(Math.max(256, length * 1.12));
    }),
  );
});

test("a longer content is never padded shorter", () => {
  fc.assert(
    fc.property(lengths, fc.nat(10_000), (a, more) => {
      expect(padme(a + more)).toBeGreaterThanOrEqual(padme(a));
    }),
  );
});

test("all texts up to 2 MiB share a few hundred lengths", () => {
  const seen = new Set<number>();
  for (let length = 0; length <= 2 * 1024 * 1024; length += 17) seen.add(padme(length));
  expect(seen.size).toBeLessThan(400);
});

test("equals the mask arithmetic of the paper", () => {
  fc.assert(
    fc.property(fc.integer({ min: 257, max: 2 ** 30 }), (length) => {
      const exponent = 31 - Math.clz32(length);
      const mask = 2 ** (exponent - (32 - Math.clz32(exponent))) - 1;
      expect(padme(length)).toBe((length + mask) & ~mask);
    }),
  );
});
