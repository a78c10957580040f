import fc from "fast-check";
import nacl from "tweetnacl";
import { describe, expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import { fixedBytes, fixedRandom } from "#test/person.ts";
import { concat, u32, utf8 } from "./bytes.ts";
import { deriveKey } from "./hash.ts";
import { padme } from "./padme.ts";
import { openBody, sealBody } from "./seal.ts";

const key = fixedBytes("record key");
const random = fixedRandom("nonces");
const sealed = sealBody(key, utf8('{"kind":"probe","at":1}'), random);
const contents = fc.uint8Array({ maxLength: 2000 });

/** A body with a right commitment and tag around whatever stands inside. */
function around(padded: Uint8Array): Uint8Array {
  const nonce = fixedBytes("nonce", 24);
  return concat(deriveKey(key, "commit", [], { length: 16 }), nonce, nacl.secretbox(padded, nonce, key));
}

describe("a sealed body", () => {
  test("opens to what was sealed", () => {
    fc.assert(
      fc.property(contents, (json) => {
        expect(openBody(key, sealBody(key, json, random))).toEqual(json);
      }),
    );
  });

  test("shows only the padded length", () => {
    fc.assert(
      fc.property(contents, (json) => {
        expect(sealBody(key, json, random).length).toBe(16 + 24 + 16 + padme(4 + json.length));
      }),
    );
  });

  test("is another each time", () => {
    const json = utf8("{}");
    expect(sealBody(key, json, random)).not.toEqual(sealBody(key, json, random));
  });
});

describe("opening is refused as bad_seal", () => {
  test("under any other key", () => {
    expect(codeOf(() => openBody(fixedBytes("another key"), sealed))).toBe("bad_seal");
  });

  test("with the commitment of another key put in front", () => {
    const other = sealBody(fixedBytes("another key"), utf8("{}"), random);
    const mixed = concat(sealed.subarray(0, 16), other.subarray(16));
    expect(codeOf(() => openBody(key, mixed))).toBe("bad_seal");
  });

  test("after a flip of any bit", () => {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = new Uint8Array(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codeOf(() => openBody(key, flipped))).toBe("bad_seal");
    }
  });

  test("at every other length", () => {
    for (let length = 0; length < sealed.length; length++) {
      expect(codeOf(() => openBody(key, sealed.subarray(0, length)))).toBe("bad_seal");
    }
    expect(codeOf(() => openBody(key, concat(sealed, Uint8Array.of(0))))).toBe("bad_seal");
  });

  test.each([
    ["no length at all", new Uint8Array(3)],
    ["no padding", concat(u32(2), utf8("{}"))],
    ["less padding than Padmé's", concat(u32(2), utf8("{}"), new Uint8Array(100))],
    ["more padding than Padmé's", concat(u32(2), utf8("{}"), new Uint8Array(266))],
    ["something hidden in the padding", concat(u32(2), utf8("{}"), new Uint8Array(249), Uint8Array.of(1))],
    ["a length beyond the content", concat(u32(253), new Uint8Array(252))],
    ["a length of 4 GiB", concat(u32(0xffffffff), new Uint8Array(252))],
    ["nothing inside", new Uint8Array(0)],
  ])("with %s", (_, padded) => {
    expect(codeOf(() => openBody(key, around(padded)))).toBe("bad_seal");
  });

  test("but not for what is right by hand", () => {
    const right = around(concat(u32(2), utf8("{}"), new Uint8Array(250)));
    expect(openBody(key, right)).toEqual(utf8("{}"));
  });
});
