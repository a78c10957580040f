/**
 * A record's body: `16-byte commitment ‖ 24-byte nonce ‖ XSalsa20-Poly1305(u32 length ‖ JSON ‖ zeros up to Padmé)`.
 * The commitment binds the ciphertext to one key: Poly1305 alone would let a sender show two readers two texts.
 */
import nacl from "tweetnacl";
import { concat, equalBytes, readU32, u32 } from "./bytes.ts";
import { MeshError } from "./errors.ts";
import { deriveKey } from "./hash.ts";
import { padme } from "./padme.ts";
import type { Random } from "./ports.ts";

const COMMITMENT_BYTES = 16;
const NONCE_BYTES = 24;

export function sealBody(recordKey: Uint8Array, json: Uint8Array, random: Random): Uint8Array {
  const padded = new Uint8Array(padme(4 + json.length));
  padded.set(u32(json.length));
  padded.set(json, 4);
  const nonce = random(NONCE_BYTES);
  return concat(commitmentOf(recordKey), nonce, nacl.secretbox(padded, nonce, recordKey));
}

/** @throws MeshError bad_seal when key, commitment, tag or padding don't fit */
export function openBody(recordKey: Uint8Array, body: Uint8Array): Uint8Array {
  const nonceEnd = COMMITMENT_BYTES + NONCE_BYTES;
  if (body.length < nonceEnd) throw badSeal("it is cut short");
  if (!equalBytes(body.subarray(0, COMMITMENT_BYTES), commitmentOf(recordKey))) {
    throw badSeal("it was sealed under another key");
  }
  const padded = nacl.secretbox.open(
    body.subarray(nonceEnd),
    body.subarray(COMMITMENT_BYTES, nonceEnd),
    recordKey,
  );
  if (!padded) throw badSeal("its content was changed");
  const length = padded.length < 4 ? Number.POSITIVE_INFINITY : readU32(padded);
  if (padme(4 + length) !== padded.length || padded.subarray(4 + length).some((byte) => byte !== 0)) {
    throw badSeal("its padding is wrong");
  }
  return padded.subarray(4, 4 + length);
}

function commitmentOf(recordKey: Uint8Array): Uint8Array {
  return deriveKey(recordKey, "commit", [], { length: COMMITMENT_BYTES });
}

function badSeal(why: string): MeshError {
  return new MeshError("bad_seal", `The record can't be opened: ${why}.`, "Ask the sender to send it again.");
}
