/** SHA-256, HMAC and HKDF, each bound to a named purpose of this protocol version. */
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { concat, u32, utf8 } from "./bytes.ts";
import { DOMAIN } from "./version.ts";

export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes);
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(nobleSha256, key, message);
}

const NO_SALT = new Uint8Array(0);

/** HKDF-SHA256 (RFC 5869) with info = "claudemesh/1/" ‖ purpose ‖ context. A context's parts have fixed lengths, or there is one. */
export function deriveKey(
  secret: Uint8Array,
  purpose: string,
  context: readonly Uint8Array[] = [],
  { salt = NO_SALT, length = 32 }: { salt?: Uint8Array; length?: number } = {},
): Uint8Array {
  return hkdf(nobleSha256, secret, salt, concat(utf8(DOMAIN + purpose), ...context), length);
}

/**
 * What a signature covers: "claudemesh/1/" ‖ purpose ‖ 0x00, then each part behind its u32 length. No two different
 * lists of parts give the same bytes, and no purpose's input is another's.
 */
export function signatureInput(purpose: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return concat(utf8(`${DOMAIN}${purpose}\0`), ...parts.flatMap((part) => [u32(part.length), part]));
}
