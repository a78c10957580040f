/**
 * Random bytes as a code that people read aloud, type or scan: Crockford's base32, in groups of five, e.g.
 * `7ZK3M-0QF5T-…`. Case doesn't matter, O reads as 0, I and L as 1. Spaces and dashes mean nothing.
 */
import { MeshError } from "../errors.ts";
import type { Random } from "../ports.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP = 5;

export type Code = { name: string; bits: number };

/** Gives a new device the account; the device that shows it takes 13 bytes, of which the last has 4 bits. */
export const PAIRING_CODE: Code = { name: "pairing code", bits: 100 };
/** Opens the vault where the passphrase is lost. */
export const RECOVERY_CODE: Code = { name: "recovery code", bits: 128 };

export function newCode({ bits }: Code, random: Random): Uint8Array {
  const bytes = random(Math.ceil(bits / 8));
  const spare = bytes.length * 8 - bits;
  const last = bytes.length - 1;
  bytes[last] = ((bytes[last] ?? 0) >> spare) << spare;
  return bytes;
}

export function encodeCode({ bits }: Code, bytes: Uint8Array): string {
  const characters = Math.ceil(bits / 5);
  let text = "";
  for (let i = 0; i < characters; i++) {
    text += (i > 0 && i % GROUP === 0 ? "-" : "") + ALPHABET[fiveBits(bytes, i * 5)];
  }
  return text;
}

/** @throws MeshError bad_data */
export function decodeCode(code: Code, text: string): Uint8Array {
  const { name, bits } = code;
  const plain = text.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  for (const [i, character] of [...plain].entries()) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) throw wrong(name, `"${character}" is no character of one`);
    for (let bit = 0; bit < 5; bit++) {
      const at = i * 5 + bit;
      if (value & (16 >> bit)) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (128 >> (at & 7));
    }
  }
  const characters = Math.ceil(bits / 5);
  if (plain.length !== characters) throw wrong(name, `it has ${characters} characters, not ${plain.length}`);
  if (encodeCode(code, bytes).replaceAll("-", "") !== plain) throw wrong(name, "its last character is wrong");
  return bytes;
}

function fiveBits(bytes: Uint8Array, from: number): number {
  const two = ((bytes[from >> 3] ?? 0) << 8) | (bytes[(from >> 3) + 1] ?? 0);
  return (two >> (11 - (from & 7))) & 31;
}

function wrong(name: string, why: string): MeshError {
  return new MeshError("bad_data", `This is no ${name}: ${why}.`, "Type it again, all of it.");
}
