/**
 * All secrets of a person on this device, as one item of the keychain: it is written whole or not at all, so no crash
 * leaves the seed of one identity beside the device of another.
 */
import { z } from "zod";
import { contentsSchema } from "#protocol/account/vault.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { certifiedDevice } from "#protocol/certificate.ts";
import { MeshError } from "#protocol/errors.ts";
import { strictJson } from "#protocol/json.ts";
import type { Keychain } from "#protocol/ports.ts";
import { bytes } from "#protocol/schema.ts";

const ITEM = "identity";

const schema = z.strictObject({
  type: z.literal("identity"),
  rootKey: bytes,
  /** The root's secret, of an account that isn't registered. */
  root: bytes.nullable(),
  seeds: contentsSchema.shape.seeds,
  formerly: contentsSchema.shape.formerly,
  secret: bytes,
  device: certifiedDevice,
  home: z.strictObject({ origin: z.string().max(300), email: z.string().max(300) }).nullable(),
});

export type Identity = z.infer<typeof schema>;

const json = strictJson(schema, "bad_data", "account's keys");

/** Null where there is none. @throws MeshError bad_data for one that is damaged */
export function readIdentity(keychain: Keychain): Identity | null {
  const kept = keychain.get(ITEM);
  return kept && decodeIdentity(kept);
}

/** @throws MeshError bad_data */
export function decodeIdentity(kept: Uint8Array): Identity {
  try {
    return json.decode(kept);
  } catch {
    throw new MeshError(
      "bad_data",
      "This account's keys are damaged.",
      "Restore them from a backup; `claudemesh doctor` says where they belong.",
    );
  }
}

export function keepIdentity(keychain: Keychain, identity: Identity): void {
  keychain.set(ITEM, json.encode(identity));
}

export function forgetIdentity(keychain: Keychain): void {
  keychain.remove(ITEM);
}

/** @throws MeshError logged_out */
export function requiredIdentity(keychain: Keychain): Identity {
  const identity = readIdentity(keychain);
  if (identity) return identity;
  throw new MeshError("logged_out", "This machine isn't logged in.", "claudemesh login");
}

/** The root's secret. @throws MeshError not_allowed where it has left this device */
export function ownRoot(keychain: Keychain): Uint8Array {
  const root = readIdentity(keychain)?.root;
  if (root) return fromBase64url(root);
  throw new MeshError("not_allowed", "The account's root is in its vault.", "Give the passphrase.");
}

export function seedsToText(seeds: readonly { number: number; secret: Uint8Array }[]) {
  return seeds.map(({ number, secret }) => ({ number, secret: toBase64url(secret) }));
}
