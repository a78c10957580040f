/** The person's devices: which there are, and the seeds that another of them has made. */
import { type AccountDevice, enterInput } from "#protocol/account/api.ts";
import { deviceSealingSecret, seedWrapKey } from "#protocol/account/keys.ts";
import { openSeed } from "#protocol/account/seed-box.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { deviceLine, verifyCertificate } from "#protocol/certificate.ts";
import { idOf, pairKey } from "#protocol/derive.ts";
import type { PeerPorts } from "../ports.ts";
import { type Account, currentSeed } from "./account.ts";
import type { HomeLink } from "./home.ts";
import { type Identity, requiredIdentity } from "./identity.ts";

/** Those that the root vouches for; what a broker adds of its own is not among them. */
export async function devicesOf(
  { curves, log }: Pick<PeerPorts, "curves" | "log">,
  { user, rootKey, home }: Account,
  link: HomeLink,
): Promise<AccountDevice[]> {
  const { devices } = await link.ask("devices", {});
  const judged = await Promise.all(
    devices.map(async (one) => {
      const { device, sealing, at, proof } = one.entry;
      const key = fromBase64url(device.key);
      try {
        await verifyCertificate(curves, user, rootKey, device);
        const input = enterInput(home?.origin ?? "", user, fromBase64url(sealing), at);
        const isOwn = idOf(key) === one.id && (await curves.verify(key, input, fromBase64url(proof)));
        if (isOwn) return [one];
      } catch {
        // Told below.
      }
      log.warn({ device: one.id }, "the home broker names a device that the root doesn't vouch for");
      return [];
    }),
  );
  return judged.flat();
}

/** Those that fall with `revoked`: whatever one of them had paired. */
export function fallingWith(devices: readonly AccountDevice[], revoked: readonly string[]): Set<string> {
  return new Set(
    devices
      .filter(({ entry }) => deviceLine(entry.device).some((id) => revoked.includes(id)))
      .map(({ id }) => id),
  );
}

/** Seeds that other devices have made since; null where none is new. @throws MeshError bad_signature, bad_seal */
export async function fetchSeeds(
  ports: PeerPorts,
  account: Account,
  link: HomeLink,
): Promise<Identity | null> {
  const identity = requiredIdentity(ports.keychain);
  const { user, rootKey, device } = account;
  const newest = currentSeed(account).number;
  const own = deviceSealingSecret(device.secret);
  const fresh: Identity["seeds"] = [];
  for (const { number, sealing, box } of (await link.ask("seeds", {})).seeds) {
    if (number <= newest) continue;
    const pair = await pairKey(ports.curves, own, fromBase64url(sealing));
    const secret = await openSeed(ports.curves, rootKey, seedWrapKey(pair, user, number), box, {
      user,
      number,
    });
    fresh.push({ number, secret: toBase64url(secret) });
  }
  return fresh.length > 0 ? { ...identity, seeds: [...identity.seeds, ...fresh] } : null;
}
