import { mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { expect, test } from "vitest";
import { sha256 } from "./hash.ts";
import { randomWords, wordsOf } from "./words.ts";

test("words are BIP 39's: twelve of them, with its checksum, give the bytes back", () => {
  for (let i = 0; i < 50; i++) {
    const entropy = sha256(Uint8Array.of(i)).subarray(0, 16);
    const checked = Uint8Array.of(...entropy, sha256(entropy)[0] ?? 0);
    expect(mnemonicToEntropy(wordsOf(checked, 12).join(" "), wordlist)).toEqual(entropy);
  }
});

test("random words take 11 bits each, and no more bytes than that needs", () => {
  const asked: number[] = [];
  const words = randomWords((length) => {
    asked.push(length);
    return new Uint8Array(length).fill(255);
  }, 6);
  expect(words).toEqual(Array(6).fill("zoo"));
  expect(asked).toEqual([9]);
  expect(() => wordsOf(new Uint8Array(8), 6)).toThrow(RangeError);
});
