/**
 * A record: `u16 header length ‖ header JSON ‖ 64-byte signature ‖ body`, kept and forwarded verbatim.
 * The signature covers workspace, header bytes and SHA-256(body), so a header still verifies after its body is gone.
 */
import { z } from "zod";
import { concat, fromBase64url, readU16, toBase64url, u16 } from "./bytes.ts";
import { MeshError } from "./errors.ts";
import { sha256, signatureInput } from "./hash.ts";
import { strictJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { chainHead, count, hash, id, label, recordId } from "./schema.ts";

export const SIGNATURE_BYTES = 64;

/** What a record that replaces the value of a cell says beyond an append. A cell is label, key and, if own, its sender. */
export const put = z.strictObject({
  /** HMAC of the cell's name. */
  key: id,
  /** Rises with each value of the cell; receivers refuse a lower one. */
  version: z.int().min(1),
  /** Hash of the record that it replaces; null: the cell is free, never set, deleted or expired when this is committed. */
  expect: hash.nullable(),
  /** A cell of the sender's own, which nobody else can write. */
  own: z.boolean(),
  /** Milliseconds after its commit, on the broker's clock, at which the value is nothing again. */
  ttl: z
    .int()
    .min(1)
    .max(366 * 86_400_000)
    .nullable(),
  /** A put of nothing: the value is deleted. */
  tombstone: z.boolean(),
});

export const header = z.strictObject({
  id: recordId,
  /** The member who says it. */
  from: id,
  /** The device that signed. */
  dev: id,
  to: label,
  /** This device's running number of appends on this label, from 1; 0 for a put. */
  n: count,
  /** Epoch of the workspace key in force when it was sealed. */
  epoch: count,
  /** The sender's chain head; for a chain entry the entry before it. Null in a genesis. */
  head: chainHead.nullable(),
  /** How the body is sealed: under a label's key, under a pair's key, or not (chain entries). */
  alg: z.enum(["label", "pair", "none"]),
  /** Which key: seed numbers "sender.receiver" for a pair; of a private topic's label the generation; else empty. */
  kid: z.string().regex(/^([0-9]{1,9}(\.[0-9]{1,9})?)?$/),
  put: put.optional(),
});

export type Put = z.infer<typeof put>;
export type Header = z.infer<typeof header>;

/** A decoded record; `bytes` is what came over the wire and what is kept. */
export type SealedRecord = {
  header: Header;
  headerBytes: Uint8Array;
  signature: Uint8Array;
  body: Uint8Array;
  bytes: Uint8Array;
};

const headerJson = strictJson(header, "bad_record", "record header");

export function encodeHeader(value: Header): Uint8Array {
  return headerJson.encode(value);
}

export function encodeRecord(headerBytes: Uint8Array, signature: Uint8Array, body: Uint8Array): Uint8Array {
  return concat(u16(headerBytes.length), headerBytes, signature, body);
}

/** @throws MeshError bad_record, too_large */
export function decodeRecord(bytes: Uint8Array): SealedRecord {
  if (bytes.length > LIMITS.record) {
    throw new MeshError(
      "too_large",
      `A record of ${bytes.length} bytes is over the limit of ${LIMITS.record}.`,
      "Send less at once.",
    );
  }
  const bodyStart = bytes.length < 2 ? Number.POSITIVE_INFINITY : 2 + readU16(bytes) + SIGNATURE_BYTES;
  if (bodyStart > bytes.length || bodyStart > 2 + LIMITS.header + SIGNATURE_BYTES) {
    throw new MeshError(
      "bad_record",
      "The record's header length is wrong.",
      "Update claudemesh on both sides.",
    );
  }
  const headerBytes = bytes.subarray(2, bodyStart - SIGNATURE_BYTES);
  const decoded = headerJson.decode(headerBytes);
  if ((decoded.n === 0) !== (decoded.put !== undefined)) {
    throw new MeshError(
      "bad_record",
      "An append has a number, a put has none.",
      "Update claudemesh on both sides.",
    );
  }
  return {
    header: decoded,
    headerBytes,
    signature: bytes.subarray(bodyStart - SIGNATURE_BYTES, bodyStart),
    body: bytes.subarray(bodyStart),
    bytes,
  };
}

/** The generation of a private topic's key that it is sealed under; null for what is sealed otherwise. */
export function generationOf({ alg, kid }: Pick<Header, "alg" | "kid">): number | null {
  return alg === "label" && /^[0-9]+$/.test(kid) ? Number(kid) : null;
}

/** The value whose cell is named by its label itself: it guards the label, whatever else is sent there follows it. */
export function isGuard({ put, to }: Pick<Header, "put" | "to">): boolean {
  return put !== undefined && !put.own && put.key === to;
}

/** The name of exactly this record: what a chain entry and a compare-and-set refer to. */
export function recordHash(bytes: Uint8Array): string {
  return toBase64url(sha256(bytes));
}

/** What a record's signature covers. */
export function recordSignatureInput(
  workspace: string,
  headerBytes: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  return signatureInput("record", fromBase64url(workspace), headerBytes, sha256(body));
}
