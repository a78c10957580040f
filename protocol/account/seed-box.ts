/**
 * A new seed on its way to one of the person's devices. The root signs it, so whoever carries the box can't put a seed of
 * their own in it: `seed (32) ‖ signature (64)`, sealed for the device.
 */
import { concat, fromBase64url, toBase64url, u32 } from "../bytes.ts";
import { MeshError } from "../errors.ts";
import { sha256, signatureInput } from "../hash.ts";
import type { Curves, Random } from "../ports.ts";
import { sealBody } from "../seal.ts";
import { opened } from "./vault.ts";

export type NewSeed = { user: string; number: number; secret: Uint8Array };

const SEED_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** What the root signs for a new seed. */
export function newSeedInput({ user, number, secret }: NewSeed): Uint8Array {
  return signatureInput("new-seed", fromBase64url(user), u32(number), sha256(secret));
}

export function sealSeed(key: Uint8Array, seed: NewSeed, signature: Uint8Array, random: Random): string {
  return toBase64url(sealBody(key, concat(seed.secret, signature), random));
}

/** @throws MeshError bad_seal, bad_signature */
export async function openSeed(
  curves: Pick<Curves, "verify">,
  root: Uint8Array,
  key: Uint8Array,
  box: string,
  { user, number }: Omit<NewSeed, "secret">,
): Promise<Uint8Array> {
  const plain = opened(key, box, "new seed");
  const secret = plain.slice(0, SEED_BYTES);
  const signature = plain.subarray(SEED_BYTES);
  const isWhole = signature.length === SIGNATURE_BYTES;
  if (isWhole && (await curves.verify(root, newSeedInput({ user, number, secret }), signature)))
    return secret;
  throw new MeshError(
    "bad_signature",
    "The broker gave a new seed that the account's root didn't sign.",
    "Don't trust this broker.",
  );
}
