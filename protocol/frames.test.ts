import { describe, expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import { fixedBytes, recordId } from "#test/person.ts";
import { concat, toBase64url, u16, utf8 } from "./bytes.ts";
import {
  brokerOrigin,
  decodeFromBroker,
  decodeFromDevice,
  decodeRecordFrame,
  encodeFrame,
  encodeRecordFrame,
  type Outer,
} from "./frames.ts";
import { LIMITS } from "./limits.ts";

const text = (length: number, name: string) => toBase64url(fixedBytes(name, length));
const dev = text(16, "device");

const received = { type: "received", records: 3, bytes: 999 } as const;
const read = { type: "read", request: 1, label: "*", before: 100, limit: 50 } as const;
const heartbeat = { type: "heartbeat", through: 7 } as const;
const ack = { type: "ack", id: recordId(1), seq: 8, at: 1_750_000_000_000 } as const;

describe("a control frame", () => {
  test("comes back as it went", () => {
    for (const frame of [received, read]) expect(decodeFromDevice(encodeFrame(frame))).toEqual(frame);
    for (const frame of [heartbeat, ack]) expect(decodeFromBroker(encodeFrame(frame))).toEqual(frame);
  });

  test("of the other direction is refused", () => {
    expect(codeOf(() => decodeFromDevice(encodeFrame(heartbeat)))).toBe("bad_frame");
    expect(codeOf(() => decodeFromBroker(encodeFrame(read)))).toBe("bad_frame");
  });

  test.each([
    ["an unknown type", '{"type":"moved","url":"x"}'],
    ["no type", '{"records":3,"bytes":999}'],
    ["an unknown key", '{"type":"received","records":3,"bytes":999,"more":1}'],
    ["another key order", '{"records":3,"type":"received","bytes":999}'],
    ["a space", '{"type":"received", "records":3,"bytes":999}'],
    ["a float", '{"type":"received","records":3.0,"bytes":999}'],
    ["a negative count", '{"type":"received","records":-3,"bytes":999}'],
    ["a request of 0", '{"type":"read","request":0,"label":"*","before":100,"limit":50}'],
    [
      "a page over the limit",
      `{"type":"read","request":1,"label":"*","before":1,"limit":${LIMITS.page + 1}}`,
    ],
    ["a label that is none", '{"type":"read","request":1,"label":"#general","before":100,"limit":50}'],
    ["JSON that is cut", '{"type":"received"'],
    ["nothing", ""],
    ["an array", "[]"],
  ])("with %s is refused as bad_frame", (_, frame) => {
    expect(codeOf(() => decodeFromDevice(frame))).toBe("bad_frame");
  });

  test("with more labels than a connection may have is refused", () => {
    const labels = (count: number) => encodeFrame({ type: "unsubscribe", labels: Array(count).fill("*") });
    expect(codeOf(() => decodeFromDevice(labels(LIMITS.labels)))).toBe("accepted");
    expect(codeOf(() => decodeFromDevice(labels(LIMITS.labels + 1)))).toBe("bad_frame");
  });

  test("of presence with a face over the limit is refused", () => {
    const presence = (length: number) =>
      encodeFrame({
        type: "presence",
        member: dev,
        dev,
        counter: 1,
        epoch: 0,
        sealed: "A".repeat(length),
        signature: text(64, "signature"),
      });
    expect(codeOf(() => decodeFromDevice(presence(2 * LIMITS.presence)))).toBe("accepted");
    expect(codeOf(() => decodeFromDevice(presence(2 * LIMITS.presence + 4)))).toBe("bad_frame");
  });
});

describe("a record frame", () => {
  const record = fixedBytes("record", 500);
  const outers: Outer[] = [
    { type: "send" },
    { type: "push", seq: 9, at: 1_750_000_000_000, through: 9 },
    { type: "item", request: 2, seq: 9, at: 1_750_000_000_000 },
  ];

  test("carries the record's bytes untouched", () => {
    for (const outer of outers) {
      const decoded = decodeRecordFrame(encodeRecordFrame(outer, record));
      expect(decoded.outer).toEqual(outer);
      expect(new Uint8Array(decoded.record)).toEqual(record);
    }
  });

  test("is refused when it is cut inside of its outer JSON", () => {
    const frame = encodeRecordFrame({ type: "send" }, new Uint8Array(0));
    for (let length = 0; length < frame.length; length++) {
      expect(codeOf(() => decodeRecordFrame(frame.subarray(0, length)))).toBe("bad_frame");
    }
    expect(codeOf(() => decodeRecordFrame(frame))).toBe("accepted");
  });

  test.each([
    ["is not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d)],
    ["has another key order", utf8('{"seq":9,"type":"push","at":1,"through":9}')],
    ["has an unknown type", utf8('{"type":"signal"}')],
    ["has an unknown key", utf8('{"type":"send","seq":1}')],
  ])("is refused when its outer JSON %s", (_, json) => {
    expect(codeOf(() => decodeRecordFrame(concat(u16(json.length), json, record)))).toBe("bad_frame");
  });
});

describe("a broker's origin", () => {
  test.each([
    ["wss://mesh.example", "https://mesh.example"],
    ["ws://localhost:7777/", "http://localhost:7777"],
    ["https://mesh.example:443/path?x#y", "https://mesh.example"],
    ["http://MESH.example:80", "http://mesh.example"],
    ["https://user:secret@mesh.example:8443", "https://mesh.example:8443"],
  ])("of %s is %s", (url, origin) => {
    expect(brokerOrigin(url)).toBe(origin);
    expect(brokerOrigin(origin)).toBe(origin);
  });

  test.each(["", "mesh.example", "ftp://mesh.example", "wsx://mesh.example", "file:///x", "https://"])(
    "%j is none",
    (url) => {
      expect(codeOf(() => brokerOrigin(url))).toBe("bad_data");
    },
  );
});
