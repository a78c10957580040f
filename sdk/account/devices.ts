/** The person's devices: which there are, and a new seed for those that stay. Only the root can renew it. */
import { type AccountDevice, type CallParams, enterInput, rotateInput } from "#protocol/account/api.ts";
import { sealDocument } from "#protocol/account/document.ts";
import { contentsKey, deviceSealingSecret, documentKey, seedWrapKey } from "#protocol/account/keys.ts";
import { newSeedInput, openSeed, sealSeed } from "#protocol/account/seed-box.ts";
import { sealContents } from "#protocol/account/vault.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { deviceLine, verifyCertificate } from "#protocol/certificate.ts";
import { idOf, pairKey } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { PeerPorts } from "../ports.ts";
import { type Account, currentSeed } from "./account.ts";
import type { Document } from "./document.ts";
import type { HomeLink } from "./home.ts";
import { type Identity, readIdentity } from "./identity.ts";

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

/**
 * A new seed, sealed to every device that stays. Answers the identity with it, once the home broker has it.
 * @throws MeshError conflict when another device was faster
 */
export async function renewSeed(
  ports: PeerPorts,
  account: Account,
  link: HomeLink,
  {
    root,
    document,
    version,
    before,
  }: { root: Uint8Array; document: Document; version: number; before: string | null },
  revoke: readonly string[],
): Promise<{ identity: Identity; box: string }> {
  const identity = requiredIdentity(ports);
  const { user, home, device } = account;
  const devices = await devicesOf(ports, account, link);
  const falling = fallingWith(devices, revoke);
  if (falling.has(device.id)) throw ownDevice();
  const number = currentSeed(account).number + 1;
  const secret = ports.random(32);
  const signature = await ports.curves.sign(root, newSeedInput({ user, number, secret }));
  const own = deviceSealingSecret(device.secret);
  const seeds: CallParams<"rotate">["seeds"] = [];
  for (const { id, entry, revoked } of devices) {
    if (revoked || falling.has(id) || id === device.id) continue;
    const pair = await pairKey(ports.curves, own, fromBase64url(entry.sealing));
    const box = sealSeed(seedWrapKey(pair, user, number), { user, number, secret }, signature, ports.random);
    seeds.push({ device: id, box });
  }
  const renewed = { ...identity, seeds: [...identity.seeds, { number, secret: toBase64url(secret) }] };
  const contents = sealContents(
    contentsKey(root),
    { type: "contents", seeds: renewed.seeds, formerly: renewed.formerly },
    ports.random,
  );
  const box = sealDocument(
    documentKey(secret, user, number),
    { type: "document", version: version + 1, before, entries: document.entries() },
    ports.random,
  );
  const claim = { number, contents, revoke: [...falling] };
  const proof = await ports.curves.sign(root, rotateInput(home?.origin ?? "", user, claim));
  await link.ask("rotate", {
    ...claim,
    document: { version: version + 1, box },
    seeds,
    proof: toBase64url(proof),
  });
  return { identity: renewed, box };
}

/** Seeds that other devices have made since; null where none is new. @throws MeshError bad_signature, bad_seal */
export async function fetchSeeds(
  ports: PeerPorts,
  account: Account,
  link: HomeLink,
): Promise<Identity | null> {
  const identity = requiredIdentity(ports);
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

function requiredIdentity({ keychain }: Pick<PeerPorts, "keychain">): Identity {
  const identity = readIdentity(keychain);
  if (identity) return identity;
  throw new MeshError("logged_out", "This machine isn't logged in.", "claudemesh login");
}

function ownDevice(): MeshError {
  return new MeshError(
    "refused",
    "That is the device that you are at, or the one that it was paired by.",
    "Log out here (claudemesh logout), or revoke it from another device.",
  );
}
