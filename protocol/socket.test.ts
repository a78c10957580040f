import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import { concat, utf8 } from "./bytes.ts";
import { LIMITS } from "./limits.ts";
import { createSocketDecoder, encodeSocketFrame, FORM_FEED, isTooDeep, type SocketFrame } from "./socket.ts";

const LIMIT = 1000;

const frames: SocketFrame[] = [
  { type: "hello", data: { client: "cli", version: "0.1.0", session: "é\f" } },
  { type: "request", data: { id: 1, method: "message.send", params: { text: "form\ffeed, 😀, \u2028" } } },
  { type: "response", data: { id: 1, result: null } },
  { type: "error", data: { code: "usage", message: "m", hint: "" } },
];
const stream = utf8(frames.map(encodeSocketFrame).join(""));

/** What a decoder makes of these chunks. */
function decoded(chunks: readonly Uint8Array[], limit = LIMIT): unknown[] {
  const seen: unknown[] = [];
  const decoder = createSocketDecoder(limit, (frame) => {
    seen.push(frame);
  });
  for (const chunk of chunks) decoder.take(chunk);
  return seen;
}

describe("the socket's decoder gives the same frames", () => {
  test("from one chunk", () => {
    expect(decoded([stream])).toEqual(frames);
  });

  test("byte by byte", () => {
    expect(decoded(Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual(frames);
  });

  test("from any two chunks", () => {
    for (let at = 0; at <= stream.length; at++) {
      expect(decoded([stream.subarray(0, at), stream.subarray(at)])).toEqual(frames);
    }
  });

  test("from any chunks, empty ones among them", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
        const ends = [...cuts, stream.length].toSorted((a, b) => a - b);
        const chunks = ends.map((end, i) => stream.subarray(ends[i - 1] ?? 0, end));
        expect(decoded(chunks)).toEqual(frames);
      }),
    );
  });

  test("whatever their data is", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ stringUnit: "binary" })), (values) => {
        const sent = values.map((params, id) => ({
          type: "request" as const,
          data: { id, method: "m", params },
        }));
        const bytes = utf8(sent.map(encodeSocketFrame).join(""));
        expect(bytes.filter((byte) => byte === FORM_FEED)).toHaveLength(sent.length);
        expect(decoded([bytes], bytes.length + 1)).toEqual(JSON.parse(JSON.stringify(sent)));
      }),
    );
  });

  test("but not before a frame's end", () => {
    expect(decoded([stream.subarray(0, -1)])).toEqual(frames.slice(0, -1));
  });
});

describe("a frame is refused as bad_frame", () => {
  test.each([
    ["nothing", ""],
    ["no JSON", "hello"],
    ["cut JSON", '{"type":"hello"'],
    ["no object", "1"],
    ["null", "null"],
    ["an array", '["hello"]'],
    ["no type", '{"data":{}}'],
    ["a type that is no text", '{"type":1,"data":{}}'],
    ["two values", '{"type":"a"}{"type":"b"}'],
  ])("when it is %s", (_, text) => {
    expect(codeOf(() => decoded([utf8(`${text}\f`)]))).toBe("bad_frame");
  });

  test("when it is not UTF-8", () => {
    const bytes = utf8('{"type":"request","data":"x"}\f');
    bytes[26] = 0xff;
    expect(codeOf(() => decoded([bytes]))).toBe("bad_frame");
  });

  test("and those before it are taken", () => {
    const seen: unknown[] = [];
    const decoder = createSocketDecoder(LIMIT, (frame) => {
      seen.push(frame);
    });
    expect(codeOf(() => decoder.take(concat(stream, utf8("nonsense\f"))))).toBe("bad_frame");
    expect(seen).toEqual(frames);
  });
});

describe("a frame's size", () => {
  const ofLength = (length: number) => utf8(`{"type":"${"a".repeat(length - 11)}"}\f`);

  test("may be the limit", () => {
    expect(decoded([ofLength(LIMIT)])).toHaveLength(1);
    expect(decoded([ofLength(LIMIT), ofLength(LIMIT)])).toHaveLength(2);
  });

  test("is refused as too_large beyond it, in one chunk as in many", () => {
    const bytes = ofLength(LIMIT + 1);
    expect(codeOf(() => decoded([bytes]))).toBe("too_large");
    expect(codeOf(() => decoded(Array.from(bytes, (byte) => Uint8Array.of(byte))))).toBe("too_large");
  });

  test("is refused while it arrives, not only at its end", () => {
    expect(codeOf(() => decoded([new Uint8Array(LIMIT).fill(0x20)]))).toBe("accepted");
    expect(codeOf(() => decoded([new Uint8Array(LIMIT + 1).fill(0x20)]))).toBe("too_large");
  });

  test("may be widened, from the very next frame on", () => {
    const seen: string[] = [];
    const decoder = createSocketDecoder(20, ({ type }) => {
      seen.push(type);
      decoder.allow(LIMIT);
    });
    decoder.take(utf8(`{"type":"hello"}\f{"type":"${"a".repeat(100)}"}\f`));
    expect(seen.map((type) => type.length)).toEqual([5, 100]);
    expect(codeOf(() => decoded([ofLength(21)], 20))).toBe("too_large");
  });

  test("is what an unfinished one costs, however small its pieces", () => {
    const decoder = createSocketDecoder(LIMIT, () => {});
    for (let i = 0; i < 900; i++) decoder.take(Uint8Array.of(0x20));
    expect(decoder.held()).toBeGreaterThanOrEqual(900);
    expect(decoder.held()).toBeLessThanOrEqual(2 * LIMIT);
    decoder.take(utf8('{"type":"a"}\f'));
    expect(decoder.held()).toBe(0);
  });

  test("counts for each frame alone", () => {
    expect(decoded([concat(...Array(50).fill(stream))])).toHaveLength(200);
  });
});

describe("a frame's depth", () => {
  const nested = (levels: number) =>
    `{"type":"a","data":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}\f`;

  test("may be the limit, and is refused beyond it, before anything is built", () => {
    expect(decoded([utf8(nested(LIMITS.socketDepth))])).toHaveLength(1);
    expect(codeOf(() => decoded([utf8(nested(LIMITS.socketDepth + 1))]))).toBe("bad_frame");
    expect(codeOf(() => decoded([utf8(`${"[".repeat(1_000_000)}\f`)], 2_000_000))).toBe("bad_frame");
  });

  test("is that of the value: signs in texts count for nothing, escaped quotes end none", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary", maxDepth: 8 }), (value) => {
        const depthOf = (one: unknown): number =>
          typeof one === "object" && one !== null ? 1 + Math.max(0, ...Object.values(one).map(depthOf)) : 0;
        const json = utf8(JSON.stringify(value));
        expect(isTooDeep(json, depthOf(value))).toBe(false);
        if (depthOf(value) > 0) expect(isTooDeep(json, depthOf(value) - 1)).toBe(true);
      }),
    );
    expect(isTooDeep(utf8(JSON.stringify('[[[["\\"[[[[')), 0)).toBe(false);
  });
});
