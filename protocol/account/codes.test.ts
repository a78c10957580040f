import fc from "fast-check";
import { expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import { decodeCode, encodeCode, newCode, PAIRING_CODE, RECOVERY_CODE } from "./codes.ts";

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

test.each([PAIRING_CODE, RECOVERY_CODE])("a $name comes back from its text, however it was typed", (code) => {
  fc.assert(
    fc.property(bytesOf(Math.ceil(code.bits / 8)), (drawn) => {
      const bytes = newCode(code, () => drawn.slice());
      const text = encodeCode(code, bytes);
      const sloppy = text.toLowerCase().replaceAll("-", " ").replaceAll("0", "o").replaceAll("1", "l");
      expect(decodeCode(code, text)).toEqual(bytes);
      expect(decodeCode(code, sloppy)).toEqual(bytes);
    }),
  );
});

test("a pairing code has 20 characters, a recovery code 26", () => {
  const zeros = (length: number) => new Uint8Array(length);
  expect(encodeCode(PAIRING_CODE, newCode(PAIRING_CODE, zeros))).toBe("00000-00000-00000-00000");
  expect(encodeCode(RECOVERY_CODE, newCode(RECOVERY_CODE, zeros))).toBe("00000-00000-00000-00000-00000-0");
});

test.each([
  ["too short", "00000-00000-00000-0000"],
  ["too long", "00000-00000-00000-00000-0"],
  ["a foreign character", "00000-00000-00000-0000U"],
  ["empty", ""],
])("%s is refused", (_, text) => {
  expect(codeOf(() => decodeCode(PAIRING_CODE, text))).toBe("bad_data");
});

test("a last character with bits beyond the code is refused", () => {
  expect(codeOf(() => decodeCode(RECOVERY_CODE, "00000-00000-00000-00000-00000-1"))).toBe("bad_data");
});
