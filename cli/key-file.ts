/** An Ed25519 secret key in the forms that other tools write it in. */
import { readFileSync } from "node:fs";
import { toBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";

const SEED_BYTES = 32;
/** The seed with the public key behind it. */
const PAIR_BYTES = 64;

/** In base64url. Raw, hex or base64 of 32 or 64 bytes, or PEM. @throws MeshError bad_data */
export async function signingKeyIn(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new MeshError("bad_data", `${path} can't be read: ${why}.`, "Give the file of the secret key.");
  }
  const text = bytes.toString("latin1").trim();
  const key = text.startsWith("-----BEGIN") ? await fromPem(text) : (seedOf(bytes) ?? seedOf(decoded(text)));
  if (key) return toBase64url(key);
  throw new MeshError(
    "bad_data",
    `There is no Ed25519 secret key in ${path}.`,
    "It is 32 bytes, or 64 with the public key, raw, in hex or in base64; or PEM.",
  );
}

function seedOf(bytes: Uint8Array): Uint8Array | null {
  return bytes.length === SEED_BYTES || bytes.length === PAIR_BYTES ? bytes.subarray(0, SEED_BYTES) : null;
}

function decoded(text: string): Buffer {
  return Buffer.from(text, /^([0-9a-f]{2})+$/i.test(text) ? "hex" : "base64");
}

async function fromPem(text: string): Promise<Uint8Array | null> {
  try {
    const { createPrivateKey } = await import("node:crypto");
    const key = createPrivateKey(text);
    const { d } = key.export({ format: "jwk" });
    return key.asymmetricKeyType === "ed25519" && d ? Buffer.from(d, "base64url") : null;
  } catch {
    return null;
  }
}
