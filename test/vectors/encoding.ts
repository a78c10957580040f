import { toBase64url } from "#protocol/bytes.ts";
import { decodeEntry, type Genesis, workspaceId } from "#protocol/chain/entries.ts";
import { idOf } from "#protocol/derive.ts";
import { sha256, signatureInput } from "#protocol/hash.ts";
import { createRecordIds, newInviteCode } from "#protocol/ids.ts";
import { padme } from "#protocol/padme.ts";
import { found } from "../chain-builder.ts";
import { fixedBytes, person } from "../person.ts";
import { hex } from "./hex.ts";

const PADME_LENGTHS = [
  0, 1, 255, 256, 257, 264, 265, 272, 273, 300, 511, 512, 513, 528, 529, 1000, 1024, 1025, 4096, 4097, 10_000,
  65_535, 65_536, 65_537, 100_000, 262_144, 262_145, 1_000_000, 1_048_577, 2_000_000, 2_097_152,
];

/** Bytes whose text has both characters that base64 writes otherwise. */
const HIGH = Uint8Array.of(0xfb, 0xef, 0xbe, 0xff, 0xff);
/** Bytes of which some are drawn again: 248 and above would favour the first characters. */
const REJECTED = Uint8Array.of(248, 255, 247, 0, 61, 62, 10, 36, 250, 9, 35, 123, 1, 2, 3, 4);

export function encodingVectors() {
  return {
    about:
      "base64url (RFC 4648 section 5) without padding, strict: a decoder refuses padding, foreign characters, a length of 4n+1 and non-zero trailing bits. Bytes are given in hex. `padme`: the length to which a content of `length` bytes is padded with zeros; never less than 256.",
    base64url: [
      ...[0, 1, 2, 3, 4, 16, 32, 64].map((length) => fixedBytes(`base64url ${length}`, length)),
      HIGH,
    ].map((bytes) => ({
      hex: hex(bytes),
      text: toBase64url(bytes),
    })),
    base64urlRefused: ["A", "AA==", "AB", "AAB", "AAAAA", "a+b/", "AA AA", "AAAA\n", "AAAA="],
    padme: PADME_LENGTHS.map((length) => ({ length, padded: padme(length) })),
  };
}

export async function idVectors() {
  const alice = await person("alice");
  const chain = await found(alice);
  const genesis = decodeEntry(chain.steps[0]?.record.body ?? new Uint8Array(0));
  if (genesis.type !== "genesis") throw new Error("the chain begins with its genesis");
  return {
    about:
      'Every id. User and device ids: base64url of the first 16 bytes of SHA-256 of the 32-byte Ed25519 public key. Workspace id: the same of `input`, which is "claudemesh/1/workspace" NUL, then nonce, root and the decimal digits of `created`, each behind its length as a big-endian u32. Record ids: UUIDv7; after the version come 12 bits of the millisecond\'s fraction (in 1/4096), a clock that stands or runs back counts on from the last id by 1/4096 ms; `random` gives the last 8 bytes, of which the first takes the variant. Ids of one list are minted one after the other. Invite codes: each byte below 248 of `random` gives the character byte mod 62 of 0-9A-Za-z.',
    users: [{ rootKey: hex(alice.root), sha256: hex(sha256(alice.root)), id: alice.id }],
    devices: [{ key: hex(alice.device.key), sha256: hex(sha256(alice.device.key)), id: alice.device.id }],
    workspaces: [workspaceVector(genesis)],
    recordIds: recordIdVectors([
      1_750_000_000_000, 1_750_000_000_000.5, 1_750_000_000_000.5, 1_749_999_999_000, 1_750_000_000_001,
    ]),
    inviteCodes: [fixedBytes("first code", 16), fixedBytes("second code", 16), REJECTED].map((random) => ({
      random: hex(random),
      code: newInviteCode(() => random),
    })),
  };
}

function workspaceVector({ nonce, root, created }: Genesis) {
  const parts = [nonce, root].map((text) => Uint8Array.from(Buffer.from(text, "base64url")));
  const input = signatureInput("workspace", ...parts, Uint8Array.from(Buffer.from(String(created))));
  if (idOf(input) !== workspaceId({ nonce, root, created })) throw new Error("the input is another");
  return { nonce, root, created, input: hex(input), id: idOf(input) };
}

function recordIdVectors(times: readonly number[]) {
  let now = 0;
  let random = new Uint8Array(8);
  const mint = createRecordIds({ now: () => now }, () => random);
  return times.map((clock, i) => {
    now = clock;
    random = new Uint8Array(fixedBytes(`record id ${i}`, 8));
    return { clock, random: hex(random), id: mint() };
  });
}
