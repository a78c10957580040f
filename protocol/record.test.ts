import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { codeOf } from "#test/code-of.ts";
import { fixedBytes, type Person, person, recordId } from "#test/person.ts";
import { concat, toBase64url, u16, utf8 } from "./bytes.ts";
import { LIMITS } from "./limits.ts";
import { decodeRecord, encodeHeader, encodeRecord, type Header, recordSignatureInput } from "./record.ts";

const workspace = toBase64url(fixedBytes("workspace", 16));
const body = fixedBytes("body", 312);

let alice: Person;
let header: Header;
let signed: Uint8Array;

beforeAll(async () => {
  alice = await person("alice");
  header = {
    id: recordId(1),
    from: alice.id,
    dev: alice.device.id,
    to: "*",
    n: 1,
    epoch: 0,
    head: { height: 1, hash: toBase64url(fixedBytes("head")) },
    alg: "label",
    kid: "",
  };
  signed = await sign(encodeHeader(header));
});

async function sign(headerBytes: Uint8Array): Promise<Uint8Array> {
  const input = recordSignatureInput(workspace, headerBytes, body);
  return encodeRecord(headerBytes, await nodeCurves.sign(alice.device.seed, input), body);
}

async function verify(bytes: Uint8Array, inWorkspace = workspace): Promise<boolean> {
  const record = decodeRecord(bytes);
  const input = recordSignatureInput(inWorkspace, record.headerBytes, record.body);
  return nodeCurves.verify(alice.device.key, input, record.signature);
}

describe("a record", () => {
  test("comes back as it went, verified", async () => {
    const record = decodeRecord(signed);
    expect(record.header).toEqual(header);
    expect(record.body).toEqual(body);
    expect(encodeRecord(record.headerBytes, record.signature, record.body)).toEqual(signed);
    expect(await verify(signed)).toBe(true);
  });

  test("does not verify in another workspace", async () => {
    expect(await verify(signed, alice.id)).toBe(false);
  });

  test("is refused or does not verify after a flip of any bit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(signed.length * 8 - 1), async (bit) => {
        const flipped = new Uint8Array(signed);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const code = codeOf(() => decodeRecord(flipped));
        if (code === "accepted") expect(await verify(flipped)).toBe(false);
        else expect(code).toBe("bad_record");
      }),
      { numRuns: 1000 },
    );
  });

  test("keeps its header verifiable once the body is gone, by the body's hash alone", async () => {
    const other = decodeRecord(
      encodeRecord(encodeHeader(header), new Uint8Array(64), fixedBytes("other body")),
    );
    expect(other.header).toEqual(header);
    expect(recordSignatureInput(workspace, other.headerBytes, body)).toEqual(
      recordSignatureInput(workspace, encodeHeader(header), body),
    );
  });

  test("may have an empty body", () => {
    expect(
      decodeRecord(encodeRecord(encodeHeader(header), new Uint8Array(64), new Uint8Array(0))).body,
    ).toHaveLength(0);
  });
});

describe("a record is refused as bad_record", () => {
  test("when it is cut inside of header or signature", () => {
    const bodyStart = signed.length - body.length;
    for (let length = 0; length < bodyStart; length++) {
      expect(codeOf(() => decodeRecord(signed.subarray(0, length)))).toBe("bad_record");
    }
  });

  test("when its header length is wrong by a byte, or points beyond the end", () => {
    const { length } = encodeHeader(header);
    for (const wrong of [0, length - 1, length + 1, signed.length, 0xffff]) {
      expect(codeOf(() => decodeRecord(concat(u16(wrong), signed.subarray(2))))).toBe("bad_record");
    }
  });

  test("when its header is over the limit", () => {
    const long = new Uint8Array(LIMITS.header + 1).fill(0x20);
    expect(codeOf(() => decodeRecord(encodeRecord(long, new Uint8Array(64), body)))).toBe("bad_record");
  });

  test.each<[string, object]>([
    ["another algorithm", { alg: "rot13" }],
    ["a number of 0", { n: 0 }],
    ["a negative epoch", { epoch: -1 }],
    ["an id of another version", { id: "01900000-0001-4000-8000-000000000000" }],
    ["an id in upper case", { id: "0190000A-0001-7000-8000-000000000000" }],
    ["a label that is none", { to: "#general" }],
    ["a key name that is none", { kid: "1." }],
    ["a short sender", { from: "AAAA" }],
    ["a head without hash", { head: { height: 1 } }],
    ["a head of undefined", { head: undefined }],
    ["an unknown field", { more: 1 }],
  ])("with %s", (_, change) => {
    const bytes = utf8(JSON.stringify({ ...header, ...change }));
    expect(codeOf(() => decodeRecord(encodeRecord(bytes, new Uint8Array(64), body)))).toBe("bad_record");
  });
});

test("a record over the limit is refused as too_large", () => {
  const headerBytes = encodeHeader(header);
  const room = LIMITS.record - 2 - headerBytes.length - 64;
  const ofBody = (length: number) => encodeRecord(headerBytes, new Uint8Array(64), new Uint8Array(length));
  expect(codeOf(() => decodeRecord(ofBody(room)))).toBe("accepted");
  expect(codeOf(() => decodeRecord(ofBody(room + 1)))).toBe("too_large");
});
