// Records, frames, links and socket frames against the committed vectors, decoded and encoded again.
import nacl from "tweetnacl";
import { describe, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { fromBase64url, fromUtf8, toBase64url, utf8 } from "#protocol/bytes.ts";
import { recordKey } from "#protocol/derive.ts";
import {
  decodeFromBroker,
  decodeFromDevice,
  decodeRecordFrame,
  encodeFrame,
  encodeRecordFrame,
  helloInput,
  presenceInput,
  signalInput,
} from "#protocol/frames.ts";
import { decodeInviteLink, encodeInviteLink } from "#protocol/invite-link.ts";
import { decodeRecord, encodeHeader, encodeRecord, recordSignatureInput } from "#protocol/record.ts";
import { openBody } from "#protocol/seal.ts";
import { createSocketDecoder } from "#protocol/socket.ts";
import { codeOf } from "#test/code-of.ts";
import frames from "./frames.json" with { type: "json" };
import links from "./invite-link.json" with { type: "json" };
import records from "./record.json" with { type: "json" };
import socket from "./socket.json" with { type: "json" };

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
/** An implementation other than ours; the signature in base64url. */
const verifies = (input: string, signature: string, key: string) =>
  nacl.sign.detached.verify(bytes(input), fromBase64url(signature), bytes(key));

describe("record.json", () => {
  const { workspace, device } = records;

  test.each(records.records)("$header", async (vector) => {
    const record = decodeRecord(bytes(vector.record));
    expect(fromUtf8(encodeHeader(record.header))).toBe(vector.header);
    expect(hex(encodeRecord(utf8(vector.header), bytes(vector.signature), bytes(vector.body)))).toBe(
      vector.record,
    );
    expect(hex(recordSignatureInput(workspace, record.headerBytes, record.body))).toBe(vector.signatureInput);
    expect(hex(await nodeCurves.sign(bytes(device.seed), bytes(vector.signatureInput)))).toBe(
      vector.signature,
    );
    expect(verifies(vector.signatureInput, toBase64url(record.signature), device.key)).toBe(true);
    const key = recordKey(bytes(vector.contentKey), workspace, record.headerBytes);
    expect(hex(key)).toBe(vector.recordKey);
    expect(fromUtf8(openBody(key, record.body))).toBe(vector.json);
  });

  test.each(records.refused)("is refused: $why", ({ record }) => {
    expect(codeOf(() => decodeRecord(bytes(record)))).toBe("bad_record");
  });
});

describe("frames.json", () => {
  test.each(frames.fromDevice)("from a device: %s", (text) => {
    expect(encodeFrame(decodeFromDevice(text))).toBe(text);
  });

  test.each(frames.fromBroker)("from a broker: %s", (text) => {
    expect(encodeFrame(decodeFromBroker(text))).toBe(text);
  });

  test.each(frames.refusedFromDevice)("refused from a device: %j", (text) => {
    expect(codeOf(() => decodeFromDevice(text))).toBe("bad_frame");
  });

  test.each(frames.recordFrames)("around a record: $outer", ({ outer, record, frame }) => {
    const decoded = decodeRecordFrame(bytes(frame));
    expect(JSON.stringify(decoded.outer)).toBe(outer);
    expect(hex(decoded.record)).toBe(record);
    expect(hex(encodeRecordFrame(decoded.outer, decoded.record))).toBe(frame);
  });

  test("hellos are signed over their input, by the device and by the invite", () => {
    for (const { nonce, frame, input } of frames.hellos) {
      const hello = decodeFromDevice(frame);
      if (hello.type !== "hello") throw new Error("not a hello");
      expect(hex(helloInput(nonce, hello))).toBe(input);
      expect(verifies(input, hello.signature, frames.device.key)).toBe(true);
      if (hello.invite) expect(verifies(input, hello.invite.signature, frames.inviteKey.key)).toBe(true);
    }
    expect(frames.hellos.some(({ frame }) => frame.includes('"invite"'))).toBe(true);
  });

  test("presences are signed over their input", () => {
    for (const { workspace, frame, input } of frames.presences) {
      const presence = decodeFromDevice(frame);
      if (presence.type !== "presence") throw new Error("not a presence");
      expect(hex(presenceInput(workspace, presence))).toBe(input);
      expect(verifies(input, presence.signature, frames.device.key)).toBe(true);
    }
  });
});

describe("frames.json, signals", () => {
  test("are signed over their input", () => {
    for (const { workspace, frame, input } of frames.signals) {
      const signal = decodeFromDevice(frame);
      if (signal.type !== "signal") throw new Error("not a signal");
      expect(hex(signalInput(workspace, signal))).toBe(input);
      expect(verifies(input, signal.signature, frames.device.key)).toBe(true);
    }
  });
});

describe("invite-link.json", () => {
  test.each(links.links)("$url", ({ broker, code, secret, head, url }) => {
    const link = decodeInviteLink(url);
    expect({ ...link, secret: hex(link.secret), head: hex(link.head) }).toEqual({
      broker,
      code,
      secret,
      head,
    });
    expect(encodeInviteLink({ broker, code, secret: bytes(secret), head: bytes(head) })).toBe(url);
  });

  test.each(links.refused)("refused: %j", (text) => {
    expect(codeOf(() => decodeInviteLink(text))).toBe("invite_malformed");
  });
});

describe("socket.json", () => {
  const decode = (chunk: Uint8Array) => {
    const seen: unknown[] = [];
    createSocketDecoder(10_000, (frame) => {
      seen.push(frame);
    }).take(chunk);
    return seen;
  };

  test("each frame, and all of them as a stream", () => {
    for (const { frame, text } of socket.frames) {
      expect(decode(utf8(text))).toEqual([frame]);
      expect(`${JSON.stringify(frame)}\f`).toBe(text);
    }
    expect(decode(bytes(socket.stream))).toEqual(socket.frames.map(({ frame }) => frame));
    expect(socket.frames.map(({ text }) => hex(utf8(text))).join("")).toBe(socket.stream);
  });

  test.each(socket.refused)("refused: %s", (frame) => {
    expect(codeOf(() => decode(bytes(frame)))).toBe("bad_frame");
  });
});
