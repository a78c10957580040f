/**
 * What a passphrase, a recovery code, a root and a device secret give for the account at its home broker. Nothing here
 * is fetched: the constants belong to the protocol's version and the salt comes from what the person types, so nobody can
 * weaken them or use them to ask whether an account exists.
 */
import { fromBase64url, u32, utf8 } from "../bytes.ts";
import { idOf } from "../derive.ts";
import { MeshError } from "../errors.ts";
import { deriveKey, sha256, signatureInput } from "../hash.ts";

/** Argon2id (RFC 9106): memory in KiB, passes, lanes, bytes of output. About 0.2 s of a core. */
export const STRETCHING = { memory: 64 * 1024, passes: 3, lanes: 1, length: 32 } as const;

/** Which account is meant: never the e-mail address itself. */
export type LoginName = { origin: string; email: string };

/** What opens the vault, and what shows the broker that one knows it. Neither tells the other. */
export type LoginKeys = { login: Uint8Array; vault: Uint8Array };

/**
 * Case and the usual ways to write one address differ between people's devices, not between people. No e-mail is sent here, so
 * the form is only looked at for typing errors. @throws MeshError bad_data
 */
export function normalEmail(text: string): string {
  const email = text.normalize("NFKC").trim().toLowerCase();
  if (/^[^\s@]{1,64}@[^\s@]{1,190}$/u.test(email)) return email;
  throw new MeshError("bad_data", "That is no e-mail address.", "Write it like alice@example.org.");
}

/** The same passphrase on every keyboard. @throws MeshError bad_data */
export function normalPassphrase(text: string): Uint8Array {
  const passphrase = utf8(text.normalize("NFKC").trim());
  if (passphrase.length >= 8) return passphrase;
  throw new MeshError(
    "bad_data",
    "A passphrase has at least 8 characters.",
    "Six random words are a good one; `claudemesh login --register` offers them.",
  );
}

/** By which the broker finds the account. */
export function loginId({ origin, email }: LoginName): string {
  return idOf(signatureInput("login-id", utf8(origin), utf8(email)));
}

/** Salt of the stretching. */
export function loginSalt({ origin, email }: LoginName): Uint8Array {
  return sha256(signatureInput("login", utf8(origin), utf8(email)));
}

/** `stretched`: Argon2id of the passphrase. */
export function passphraseKeys(stretched: Uint8Array): LoginKeys {
  return { login: deriveKey(stretched, "login"), vault: deriveKey(stretched, "vault") };
}

/** The code is random, so it needs no stretching. */
export function recoveryKeys(code: Uint8Array, name: LoginName): LoginKeys {
  const salt = loginSalt(name);
  return {
    login: deriveKey(code, "recovery-login", [], { salt }),
    vault: deriveKey(code, "recovery-vault", [], { salt }),
  };
}

/** What the broker keeps of a login key. */
export function loginHash(login: Uint8Array): Uint8Array {
  return sha256(signatureInput("login-hash", login));
}

/** Seals the vault's contents, so that they can be renewed where only one of passphrase and recovery code is at hand. */
export function contentsKey(root: Uint8Array): Uint8Array {
  return deriveKey(root, "vault-contents");
}

/** Seals the account document. */
export function documentKey(seed: Uint8Array, user: string, seedNumber: number): Uint8Array {
  return deriveKey(seed, "account-document", [fromBase64url(user), u32(seedNumber)]);
}

/** Seals the seeds of an identity that the person was before, on the way to the other devices. */
export function formerSeedsKey(seed: Uint8Array, user: string, seedNumber: number): Uint8Array {
  return deriveKey(seed, "former-seeds", [fromBase64url(user), u32(seedNumber)]);
}

/** X25519 secret of one device: what only this device may read is sealed to it. */
export function deviceSealingSecret(deviceSecret: Uint8Array): Uint8Array {
  return deriveKey(deviceSecret, "device-sealing");
}

/** Seals a new seed for one device; `pair` is the key between it and the device that made the seed. */
export function seedWrapKey(pair: Uint8Array, user: string, seedNumber: number): Uint8Array {
  return deriveKey(pair, "seed", [fromBase64url(user), u32(seedNumber)]);
}

/** Where two devices meet that know a pairing code, and what they seal there. */
export function pairingKeys(code: Uint8Array): { place: string; asks: Uint8Array; answers: Uint8Array } {
  return {
    place: idOf(deriveKey(code, "pairing-place")),
    asks: deriveKey(code, "pairing-asks"),
    answers: deriveKey(code, "pairing-answers"),
  };
}
