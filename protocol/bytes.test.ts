import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import {
  concat,
  equalBytes,
  fromBase64url,
  fromUtf8,
  readU16,
  readU32,
  toBase64url,
  u16,
  u32,
  u64,
  utf8,
} from "./bytes.ts";
import { bytes as bytesSchema } from "./schema.ts";

const anyBytes = fc.uint8Array({ maxLength: 100 });

describe("base64url", () => {
  test("comes back as it went, like Node's", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toBase64url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
        expect(fromBase64url(toBase64url(bytes))).toEqual(bytes);
      }),
    );
  });

  test("has one text for one value: whatever is accepted is encoded the same", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{0,9}$/), (text) => {
        const accepted = codeOf(() => fromBase64url(text)) === "accepted";
        const canonical = Buffer.from(text, "base64url").toString("base64url") === text;
        expect(accepted).toBe(canonical);
      }),
    );
  });

  test.each(["A", "AA==", "AB", "AAB", "a+b/", "AA AA", "AAAA\n", " AAAA", "ÄAAA", "AAAA=", "\0AAA"])(
    "refuses %j",
    (text) => {
      expect(codeOf(() => fromBase64url(text))).toBe("bad_data");
      expect(bytesSchema.safeParse(text).success).toBe(false);
    },
  );

  test("is judged by the schema as by the decoder", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_=-]{0,9}$/), (text) => {
        const accepted = codeOf(() => fromBase64url(text)) === "accepted";
        expect(bytesSchema.safeParse(text).success).toBe(accepted);
      }),
    );
  });
});

describe("UTF-8", () => {
  test("comes back as it went, a byte order mark included", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(fromUtf8(utf8(text))).toBe(text);
      }),
    );
    expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  });

  test.each([
    ["a lone continuation", [0x80]],
    ["a cut sequence", [0xe2, 0x82]],
    ["an overlong form", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["beyond Unicode", [0xf4, 0x90, 0x80, 0x80]],
  ])("refuses %s", (_, bytes) => {
    expect(codeOf(() => fromUtf8(Uint8Array.from(bytes)))).toBe("invalid_utf8");
  });
});

describe("numbers", () => {
  test("are big-endian and come back as they went", () => {
    expect([...u16(0x0102), ...u32(0x01020304)]).toEqual([1, 2, 1, 2, 3, 4]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (n) => {
        expect(readU16(u16(n))).toBe(n);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (n) => {
        expect(readU32(u32(n))).toBe(n);
      }),
    );
  });

  test("in 64 bits keep every safe integer apart", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        expect(new DataView(u64(n).buffer).getBigUint64(0)).toBe(BigInt(n));
      }),
    );
  });

  test("are read at an offset of a view", () => {
    const view = Uint8Array.of(9, 9, 1, 2, 3, 4).subarray(1);
    expect(readU16(view, 1)).toBe(0x0102);
    expect(readU32(view, 1)).toBe(0x01020304);
  });
});

test("concat joins parts in order", () => {
  fc.assert(
    fc.property(fc.array(anyBytes), (parts) => {
      expect(concat(...parts)).toEqual(new Uint8Array(Buffer.concat(parts)));
    }),
  );
});

test("equalBytes compares content and length", () => {
  fc.assert(
    fc.property(anyBytes, anyBytes, (a, b) => {
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
    }),
  );
  fc.assert(
    fc.property(anyBytes, (a) => {
      expect(equalBytes(a, new Uint8Array(a))).toBe(true);
    }),
  );
});
