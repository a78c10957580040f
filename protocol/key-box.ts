/** A workspace key at rest in an epoch entry: `24-byte nonce ‖ XSalsa20-Poly1305(key)` under a wrap key of derive.ts. */
import nacl from "tweetnacl";
import { concat } from "./bytes.ts";
import type { Random } from "./ports.ts";

export const WORKSPACE_KEY_BYTES = 32;
const NONCE_BYTES = 24;

export function wrapKey(wrapping: Uint8Array, key: Uint8Array, random: Random): Uint8Array {
  const nonce = random(NONCE_BYTES);
  return concat(nonce, nacl.secretbox(key, nonce, wrapping));
}

/** Null when the box was made under another key, changed, or holds something that isn't a key. */
export function unwrapKey(wrapping: Uint8Array, box: Uint8Array): Uint8Array | null {
  if (box.length !== NONCE_BYTES + 16 + WORKSPACE_KEY_BYTES) return null;
  return nacl.secretbox.open(box.subarray(NONCE_BYTES), box.subarray(0, NONCE_BYTES), wrapping);
}
