/**
 * Words that people say aloud, write down or compare: the 2,048 of BIP 39, any two of which differ in their first four
 * letters. 11 bits each.
 */
import { wordlist } from "@scure/bip39/wordlists/english.js";
import type { Random } from "./ports.ts";

/** The first `count` words of what `bytes` says. @throws RangeError with fewer than 11 bits a word */
export function wordsOf(bytes: Uint8Array, count: number): string[] {
  if (bytes.length * 8 < count * 11) throw new RangeError("too few bytes for so many words");
  let bits = 0;
  let held = 0;
  let at = 0;
  return Array.from({ length: count }, () => {
    while (held < 11) {
      bits = (bits << 8) | (bytes[at++] ?? 0);
      held += 8;
    }
    held -= 11;
    const word = wordlist[(bits >> held) & 0x7ff] ?? "";
    bits &= (1 << held) - 1;
    return word;
  });
}

/** 11 random bits each. */
export function randomWords(random: Random, count: number): string[] {
  return wordsOf(random(Math.ceil((count * 11) / 8)), count);
}
