import { createHash, hkdfSync } from "node:crypto";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { expect, test } from "vitest";
import { safetyNumber } from "./safety-number.ts";
import vectors from "./vectors/safety-number.json" with { type: "json" };

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const u32 = (value: number) => Buffer.from([0, 0, 0, value]);

test.each(vectors.pairs)("of $roots, as other implementations have it", ({ roots, digits, words }) => {
  const [mine = "", theirs = ""] = roots;
  expect(safetyNumber(bytes(mine), bytes(theirs))).toEqual({ digits, words });

  // Hex sorts as its bytes do.
  const parts = roots.toSorted().flatMap((root) => [u32(32), bytes(root)]);
  const hash = createHash("sha256")
    .update(Buffer.concat([Buffer.from("claudemesh/1/safety-number\0"), ...parts]))
    .digest();
  const stream = Buffer.from(hkdfSync("sha256", hash, "", "claudemesh/1/safety-digits", 60));
  expect(digits).toEqual(
    Array.from({ length: 12 }, (_, i) => String(stream.readUIntBE(i * 5, 5) % 100_000).padStart(5, "0")),
  );
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  expect(words).toEqual(
    Array.from({ length: 18 }, (_, i) => wordlist[Number.parseInt(bits.slice(i * 11, i * 11 + 11), 2)]),
  );
});

test("it is the same whoever asks, and another with another key", () => {
  const [there, back, other] = vectors.pairs;
  expect(there?.digits).toEqual(back?.digits);
  expect(there?.words).toEqual(back?.words);
  expect(other?.digits).not.toEqual(there?.digits);
  expect(there?.digits.join("")).toMatch(/^\d{60}$/);
});
