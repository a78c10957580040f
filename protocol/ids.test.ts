import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fixedRandom } from "#test/person.ts";
import { toBase64url } from "./bytes.ts";
import {
  createRecordIds,
  HASH_PATTERN,
  ID_PATTERN,
  INVITE_CODE_PATTERN,
  NAME_PATTERN,
  newInviteCode,
  RECORD_ID_PATTERN,
  recordIdTime,
  shortId,
} from "./ids.ts";

const T0 = 1_750_000_000_000;

/** Ids minted while the clock shows these times one after the other. */
function minted(times: readonly number[]): string[] {
  let at = 0;
  const mint = createRecordIds({ now: () => times[at] ?? T0 }, fixedRandom("ids"));
  return times.map((_, i) => {
    at = i;
    return mint();
  });
}

describe("record ids", () => {
  const times = fc.array(fc.double({ min: T0, max: T0 + 1000, noNaN: true }), { maxLength: 50 });

  test("are UUIDv7 and all different", () => {
    fc.assert(
      fc.property(times, (clock) => {
        const ids = minted(clock);
        for (const id of ids) expect(id).toMatch(RECORD_ID_PATTERN);
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  test("sort in the order of their minting, even while the clock goes backwards", () => {
    fc.assert(
      fc.property(times, (clock) => {
        expect(minted(clock).toSorted()).toEqual(minted(clock));
      }),
    );
  });

  test("sort within one millisecond, and beyond the 4096 ticks that it has", () => {
    const ids = minted(Array.from({ length: 5000 }, () => T0));
    expect(ids.toSorted()).toEqual(ids);
    expect(recordIdTime(ids.at(-1) ?? "")).toBe(T0 + 1);
  });

  test("carry the time of their minting, the fraction of the millisecond behind it", () => {
    const [id = ""] = minted([T0 + 0.5]);
    expect(recordIdTime(id)).toBe(T0);
    expect(id.slice(14, 18)).toBe("7800");
    const [later = ""] = minted([2 ** 48 - 1]);
    expect(recordIdTime(later)).toBe(2 ** 48 - 1);
  });

  test("stay at the last time while the clock is behind it", () => {
    const [, second = ""] = minted([T0 + 10, T0]);
    expect(recordIdTime(second)).toBe(T0 + 10);
  });

  test("are shown by their last 8 characters", () => {
    const [id = ""] = minted([T0]);
    expect(shortId(id)).toHaveLength(8);
    expect(id.endsWith(shortId(id))).toBe(true);
  });
});

describe("invite codes", () => {
  test("use each of the 62 characters equally often", () => {
    const counts = new Map<string, number>();
    const random = fixedRandom("codes");
    for (let i = 0; i < 10_000; i++) {
      const code = newInviteCode(random);
      expect(code).toMatch(INVITE_CODE_PATTERN);
      for (const character of code) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    const expected = 80_000 / 62;
    expect(counts.size).toBe(62);
    const chiSquared = [...counts.values()].reduce(
      (sum, count) => sum + (count - expected) ** 2 / expected,
      0,
    );
    // 61 degrees of freedom: beyond 100 by chance once in a thousand, and the bytes here are fixed.
    expect(chiSquared).toBeLessThan(100);
  });

  test("draw again where a byte would favour the first characters", () => {
    const draws = [
      Array(16).fill(255),
      Array(16).fill(248),
      [247, 0, 1, 61, 62, 9, 10, 36, ...Array(8).fill(255)],
    ];
    const code = newInviteCode(() => Uint8Array.from(draws.shift() ?? []));
    expect(code).toBe("z01z09Aa");
    expect(draws).toEqual([]);
  });
});

describe("patterns accept exactly what encoders give", () => {
  test("16 bytes as an id, 32 as a hash", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 40 }), (bytes) => {
        const text = toBase64url(bytes);
        expect(ID_PATTERN.test(text)).toBe(bytes.length === 16);
        expect(HASH_PATTERN.test(text)).toBe(bytes.length === 32);
      }),
    );
  });

  test("no id with stray bits in its last character, no line break behind it", () => {
    const id = toBase64url(new Uint8Array(16));
    expect(ID_PATTERN.test(id)).toBe(true);
    expect(ID_PATTERN.test(`${id.slice(0, 21)}B`)).toBe(false);
    expect(ID_PATTERN.test(`${id}\n`)).toBe(false);
  });

  test.each(["", "-a", ".a", "Alice", "a b", "a/b", "a".repeat(33), "é"])("no name %j", (name) => {
    expect(NAME_PATTERN.test(name)).toBe(false);
  });
});
