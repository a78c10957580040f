/** How a device shows whose it is: certified by the root, or by a device of the same person that is. */
import { z } from "zod";
import { fromBase64url } from "./bytes.ts";
import { idOf } from "./derive.ts";
import { MeshError } from "./errors.ts";
import { signatureInput } from "./hash.ts";
import { LIMITS } from "./limits.ts";
import type { Curves } from "./ports.ts";
import { bytes } from "./schema.ts";

const link = z.strictObject({ key: bytes.length(43), certificate: bytes.max(86) });

/** A device's public key and whose signature is over it: the root's, or that of the first of `via`, and so on up. */
export const certifiedDevice = link.extend({ via: z.array(link).max(LIMITS.pairings) });

export type CertifiedDevice = z.infer<typeof certifiedDevice>;

/** What a root key signs to certify one of its devices. */
export function certificateInput(user: string, deviceKey: Uint8Array): Uint8Array {
  return signatureInput("device", fromBase64url(user), deviceKey);
}

/** What a device signs to certify one that it was paired with. */
export function pairedInput(user: string, deviceKey: Uint8Array): Uint8Array {
  return signatureInput("paired-device", fromBase64url(user), deviceKey);
}

/** Ids of the devices that a certificate rests on: the device's own first, the one that the root certified last. */
export function deviceLine({ key, via }: CertifiedDevice): string[] {
  return [key, ...via.map((one) => one.key)].map((text) => idOf(fromBase64url(text)));
}

/** @throws MeshError bad_signature */
export async function verifyCertificate(
  curves: Pick<Curves, "verify">,
  user: string,
  root: Uint8Array,
  { key, certificate, via }: CertifiedDevice,
): Promise<void> {
  const line = [{ key, certificate }, ...via].map((one) => ({
    key: fromBase64url(one.key),
    certificate: fromBase64url(one.certificate),
  }));
  for (const [i, device] of line.entries()) {
    const by = line[i + 1];
    const holds = by
      ? await curves.verify(by.key, pairedInput(user, device.key), device.certificate)
      : await curves.verify(root, certificateInput(user, device.key), device.certificate);
    if (holds) continue;
    throw new MeshError("bad_signature", "The device isn't certified by its owner's root key.", "Drop it.");
  }
}
