import { safetyNumber } from "#protocol/safety-number.ts";
import { person } from "../person.ts";
import { hex } from "./hex.ts";

export async function safetyNumberVectors() {
  const [alice, bob, carol] = await Promise.all([person("alice"), person("bob"), person("carol")]);
  const pairs = [
    [alice, bob],
    [bob, alice],
    [alice, carol],
  ] as const;
  return {
    about:
      'What two people compare. `roots`: the Ed25519 public root keys in hex, in either order. The smaller one first, compared byte by byte, each behind its length as big-endian u32, all behind "claudemesh/1/safety-number" and a zero byte; then SHA-256. `words`: 18 of BIP 39\'s English ones, 11 bits of the hash each, from its first bit on. `digits`: 60 bytes of HKDF-SHA256 (no salt, info "claudemesh/1/safety-digits") of the hash; each five of them, big-endian, modulo 100,000.',
    pairs: pairs.map(([a, b]) => ({
      roots: [hex(a.root), hex(b.root)],
      ...safetyNumber(a.root, b.root),
    })),
  };
}
