/** Ed25519 and X25519 by OpenSSL, through node:crypto. Parsed keys are kept as long as their bytes are. */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from "node:crypto";
import { concat } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Curves } from "#protocol/ports.ts";

type Curve = "Ed25519" | "X25519";

/** DER of everything before the 32 key bytes (RFC 8410). */
const SECRET_PREFIX: Record<Curve, Uint8Array> = {
  Ed25519: Uint8Array.from(Buffer.from("302e020100300506032b657004220420", "hex")),
  X25519: Uint8Array.from(Buffer.from("302e020100300506032b656e04220420", "hex")),
};
const PUBLIC_PREFIX: Record<Curve, Uint8Array> = {
  Ed25519: Uint8Array.from(Buffer.from("302a300506032b6570032100", "hex")),
  X25519: Uint8Array.from(Buffer.from("302a300506032b656e032100", "hex")),
};

export const signingSecret = cached((seed) => parseSecret("Ed25519", seed));
export const signingPublic = cached((key) => parsePublic("Ed25519", key));
const sealingSecret = cached((secret) => parseSecret("X25519", secret));
const sealingPublic = cached((key) => parsePublic("X25519", key));

export const nodeCurves: Curves = {
  async signingPublicKey(seed) {
    return rawPublic(signingSecret(seed));
  },
  async sign(seed, message) {
    return new Uint8Array(nodeSign(null, message, signingSecret(seed)));
  },
  async verify(publicKey, message, signature) {
    return publicKey.length === 32 && nodeVerify(null, message, signingPublic(publicKey), signature);
  },
  async sealingPublicKey(secret) {
    return rawPublic(sealingSecret(secret));
  },
  async agree(secret, publicKey) {
    try {
      return new Uint8Array(
        diffieHellman({ privateKey: sealingSecret(secret), publicKey: sealingPublic(publicKey) }),
      );
    } catch {
      // OpenSSL refuses a point of small order, whose shared secret everybody knows.
      throw new MeshError(
        "bad_key",
        "A colleague's sealing key is not a usable key.",
        "Don't trust this workspace's broker.",
      );
    }
  },
};

function parseSecret(curve: Curve, seed: Uint8Array): KeyObject {
  return createPrivateKey({
    key: Buffer.from(concat(SECRET_PREFIX[curve], seed)),
    format: "der",
    type: "pkcs8",
  });
}

function parsePublic(curve: Curve, key: Uint8Array): KeyObject {
  return createPublicKey({
    key: Buffer.from(concat(PUBLIC_PREFIX[curve], key)),
    format: "der",
    type: "spki",
  });
}

function rawPublic(secret: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32));
}

function cached(parse: (bytes: Uint8Array) => KeyObject): (bytes: Uint8Array) => KeyObject {
  const cache = new WeakMap<Uint8Array, KeyObject>();
  return (bytes) => {
    const known = cache.get(bytes);
    if (known) return known;
    const parsed = parse(bytes);
    cache.set(bytes, parsed);
    return parsed;
  };
}
