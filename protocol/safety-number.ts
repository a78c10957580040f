/**
 * What two people compare, outside of claudemesh, to be sure of each other's keys. It stands for both root keys, so it is the
 * same on both sides and on all of their machines, and outlasts seeds and devices. 60 digits are 199 bits and 18 words 198:
 * whoever stands between the two may choose both of the keys that they show, which halves what has to be guessed.
 */
import { deriveKey, sha256, signatureInput } from "./hash.ts";
import { wordsOf } from "./words.ts";

export type SafetyNumber = {
  /** Twelve groups of five. */
  digits: string[];
  /** Eighteen. Of the same hash: either is enough. */
  words: string[];
};

const GROUPS = 12;
/** 40 bits for a group: the remainder by 100,000 is even but for one part in ten millions. */
const BYTES_A_GROUP = 5;
const WORDS = 18;

/** Of two root keys, in either order. */
export function safetyNumber(mine: Uint8Array, theirs: Uint8Array): SafetyNumber {
  const hash = sha256(signatureInput("safety-number", ...[mine, theirs].toSorted(byBytes)));
  const stream = deriveKey(hash, "safety-digits", [], { length: GROUPS * BYTES_A_GROUP });
  const digits = Array.from({ length: GROUPS }, (_, group) => {
    const bytes = stream.subarray(group * BYTES_A_GROUP, (group + 1) * BYTES_A_GROUP);
    const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    return String(value % 100_000).padStart(5, "0");
  });
  return { digits, words: wordsOf(hash, WORDS) };
}

function byBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
