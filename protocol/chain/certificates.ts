/** Whether a device may speak for its owner at all: every certificate up to the root holds, and none of them is revoked. */
import { type CertifiedDevice, deviceLine, verifyCertificate } from "../certificate.ts";
import { MeshError } from "../errors.ts";
import type { Curves } from "../ports.ts";
import { invalid, key32 } from "./case.ts";

export type Owner = { id: string; root: Uint8Array; revoked: ReadonlySet<string> };

export type Certified = { id: string; key: Uint8Array; via: readonly string[] };

/** @throws MeshError bad_signature, device_revoked, chain_invalid */
export async function certified(curves: Curves, owner: Owner, device: CertifiedDevice): Promise<Certified> {
  const [key = new Uint8Array(0)] = [device, ...device.via].map((one) => key32(one.key));
  const [id = "", ...via] = deviceLine(device);
  if (via.includes(id)) throw invalid("a device doesn't certify itself");
  if ([id, ...via].some((one) => owner.revoked.has(one))) throw deviceRevoked();
  await verifyCertificate(curves, owner.id, owner.root, device);
  return { id, key, via };
}

export function deviceRevoked(): MeshError {
  return new MeshError(
    "device_revoked",
    "This device was revoked by its owner.",
    "Log in anew on it: claudemesh login",
  );
}
