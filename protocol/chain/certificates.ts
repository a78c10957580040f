/** Who vouches for a device's key: the root, or a device that paired it, up to one that the root certified. */
import { concat, fromBase64url } from "../bytes.ts";
import { idOf } from "../derive.ts";
import { MeshError } from "../errors.ts";
import type { Curves } from "../ports.ts";
import { invalid, key32 } from "./case.ts";
import type { DeviceFields } from "./entries.ts";
import { certificateInput, pairedInput } from "./proofs.ts";

export type Owner = { id: string; root: Uint8Array; revoked: ReadonlySet<string> };

export type Certified = { id: string; key: Uint8Array; via: readonly string[] };

/**
 * The device, once every certificate up to its owner's root holds and none of those devices is revoked.
 * @throws MeshError bad_signature, device_revoked, chain_invalid
 */
export async function certified(curves: Curves, owner: Owner, device: DeviceFields): Promise<Certified> {
  const links = [device, ...(device.via ?? [])].map(({ key, certificate }) => ({
    key: key32(key),
    certificate: fromBase64url(certificate),
  }));
  const [id = "", ...via] = links.map(({ key }) => idOf(key));
  if (via.includes(id)) throw invalid("a device doesn't certify itself");
  if ([id, ...via].some((one) => owner.revoked.has(one))) throw deviceRevoked();
  for (const [i, { key, certificate }] of links.entries()) {
    const by = links[i + 1]?.key;
    const input = by ? pairedInput(owner.id, key) : certificateInput(owner.id, key);
    if (!(await curves.verify(by ?? owner.root, input, certificate))) {
      throw new MeshError(
        "bad_signature",
        "The device isn't certified by its owner's root key, or by a device that is.",
        "Drop it.",
      );
    }
  }
  return { id, key: concat(links[0]?.key ?? new Uint8Array(0)), via };
}

export function deviceRevoked(): MeshError {
  return new MeshError(
    "device_revoked",
    "This device was revoked by its owner.",
    "Log in anew on it: claudemesh login",
  );
}
