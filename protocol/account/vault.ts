/**
 * What a home broker keeps sealed of an account. The vault holds the root and nothing else, once under the passphrase and
 * once under the recovery code; its contents lie under a key of the root, so both ways open what is newest. The account
 * document lies under the seed: every device reads and writes it without the root.
 */
import { z } from "zod";
import { fromBase64url, toBase64url } from "../bytes.ts";
import { MeshError } from "../errors.ts";
import { strictJson } from "../json.ts";
import type { Random } from "../ports.ts";
import { bytes, count, id } from "../schema.ts";
import { openBody, sealBody } from "../seal.ts";

const rootSchema = z.strictObject({ type: z.literal("root"), root: bytes });

/** An identity of the same person before this one: what was sealed to it stays readable. */
export const formerIdentity = z.strictObject({
  user: id,
  seeds: z
    .array(z.strictObject({ number: count, secret: bytes }))
    .min(1)
    .max(1000),
});

export const contentsSchema = z.strictObject({
  type: z.literal("contents"),
  seeds: formerIdentity.shape.seeds,
  formerly: z.array(formerIdentity).max(100),
});

export type VaultContents = z.infer<typeof contentsSchema>;

export type FormerIdentity = z.infer<typeof formerIdentity>;

const former = strictJson(formerIdentity, "bad_data", "former identity");
const root = strictJson(rootSchema, "bad_data", "vault");
const contents = strictJson(contentsSchema, "bad_data", "vault's contents");

export function sealRoot(key: Uint8Array, secret: Uint8Array, random: Random): string {
  return toBase64url(sealBody(key, root.encode({ type: "root", root: toBase64url(secret) }), random));
}

/** @throws MeshError bad_seal */
export function openRoot(key: Uint8Array, box: string): Uint8Array {
  return fromBase64url(root.decode(opened(key, box, "vault")).root);
}

export function sealFormer(key: Uint8Array, value: FormerIdentity, random: Random): string {
  return toBase64url(sealBody(key, former.encode(value), random));
}

/** @throws MeshError bad_seal */
export function openFormer(key: Uint8Array, box: string): FormerIdentity {
  return former.decode(opened(key, box, "former identity"));
}

export function sealContents(key: Uint8Array, value: VaultContents, random: Random): string {
  return toBase64url(sealBody(key, contents.encode(value), random));
}

/** @throws MeshError bad_seal */
export function openContents(key: Uint8Array, box: string): VaultContents {
  return contents.decode(opened(key, box, "vault's contents"));
}

/** Opens what somebody else kept for us. @throws MeshError bad_seal */
export function opened(key: Uint8Array, box: string, what: string): Uint8Array {
  try {
    return openBody(key, fromBase64url(box));
  } catch {
    throw new MeshError(
      "bad_seal",
      `The broker gave another ${what} than was left there.`,
      "Don't trust this broker; restore the account from a backup.",
    );
  }
}
