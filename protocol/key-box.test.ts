import { describe, expect, test } from "vitest";
import { fixedBytes, fixedRandom } from "#test/person.ts";
import { unwrapKey, wrapKey } from "./key-box.ts";

const wrapping = fixedBytes("wrapping");
const key = fixedBytes("workspace key");
const box = wrapKey(wrapping, key, fixedRandom("nonce"));

describe("a wrapped workspace key", () => {
  test("opens under the same wrap key", () => {
    expect(unwrapKey(wrapping, box)).toEqual(key);
  });

  test("doesn't open under another, or with any bit flipped", () => {
    expect(unwrapKey(fixedBytes("another"), box)).toBeNull();
    for (let bit = 0; bit < box.length * 8; bit++) {
      const flipped = new Uint8Array(box);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(unwrapKey(wrapping, flipped)).toBeNull();
    }
  });

  test("doesn't open at another length, or around something that isn't a key", () => {
    for (let length = 0; length < box.length; length++)
      expect(unwrapKey(wrapping, box.subarray(0, length))).toBeNull();
    for (const length of [0, 31, 33]) {
      const wrong = wrapKey(wrapping, fixedBytes("wrong", length), fixedRandom("nonce"));
      expect(unwrapKey(wrapping, wrong)).toBeNull();
    }
  });
});
