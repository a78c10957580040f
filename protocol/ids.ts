/**
 * Every id, what it is made of, and how it is written.
 *
 * | id        | bytes                                             | text              |
 * |-----------|---------------------------------------------------|-------------------|
 * | user      | first 16 of SHA-256(root public key)              | base64url, 22     |
 * | device    | first 16 of SHA-256(device public key)            | base64url, 22     |
 * | workspace | first 16 of SHA-256(genesis input)                | base64url, 22     |
 * | label     | a member's user id, a topic's 16 HMAC bytes, `*`, `chain` | base64url 22, or the word |
 * | record    | UUIDv7 (RFC 9562), minted where it is born        | 36, lower case    |
 * | invite    | 8 random base62 characters                        | itself            |
 * | hash      | SHA-256 of a chain entry's record                 | base64url, 43     |
 */
import type { Clock, Random } from "./ports.ts";

export const ID_PATTERN = /^[A-Za-z0-9_-]{21}[AQgw]$/;
export const HASH_PATTERN = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
export const RECORD_ID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const INVITE_CODE_PATTERN = /^[0-9A-Za-z]{8}$/;
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/** The label of the membership chain: everyone is subscribed to it, and it alone is plaintext. */
export const CHAIN = "chain";
/** The label of everyone in the workspace. */
export const EVERYONE = "*";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 8 characters, each uniform: bytes beyond the last multiple of 62 are drawn again. */
export function newInviteCode(random: Random): string {
  let code = "";
  while (code.length < 8) {
    for (const byte of random(16)) if (byte < 248 && code.length < 8) code += BASE62[byte % 62];
  }
  return code;
}

/**
 * UUIDv7 whose 12 bits after the time carry the fraction of the millisecond (RFC 9562 §6.2, method 3) and never run
 * backwards in one process, so ids sort in the order in which they were minted.
 */
export function createRecordIds(clock: Clock, random: Random): () => string {
  let last = 0n;
  return () => {
    const now = clock.now();
    const ticks = (BigInt(Math.floor(now)) << 12n) | BigInt(Math.floor((now % 1) * 4096));
    last = ticks > last ? ticks : last + 1n;
    const time = (last >> 12n).toString(16).padStart(12, "0");
    const fraction = (last & 0xfffn).toString(16).padStart(3, "0");
    const tail = Array.from(random(8), (byte, i) => (i === 0 ? (byte & 0x3f) | 0x80 : byte))
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${fraction}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}

/** When a record id was minted, in ms since the epoch. */
export function recordIdTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** How ids are shown to people: their last 8 characters. */
export function shortId(id: string): string {
  return id.slice(-8);
}
