/** A new seed for the person: every device that stays gets it, and each workspace is told while the root is at hand. */
import { rotateInput } from "#protocol/account/api.ts";
import { sealDocument } from "#protocol/account/document.ts";
import { contentsKey, deviceSealingSecret, documentKey, seedWrapKey } from "#protocol/account/keys.ts";
import { newSeedInput, sealSeed } from "#protocol/account/seed-box.ts";
import { sealContents } from "#protocol/account/vault.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { pairKey } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { type RootSigner, revocationOf, rotationOf } from "../membership/root-entries.ts";
import type { PeerPorts } from "../ports.ts";
import { type Account, currentSeed, type Seed } from "./account.ts";
import { devicesOf, fallingWith } from "./devices.ts";
import type { Errand, Errands } from "./errands.ts";
import { type Identity, requiredIdentity } from "./identity.ts";
import type { Person } from "./person.ts";
import type { AccountSync } from "./sync.ts";

type Owner = { ports: PeerPorts; person: Person; sync: AccountSync; errands: Errands };

/** What is about to be. `staying`: the person's other devices, by their X25519 keys. */
type Plan = {
  account: Account;
  seed: Seed;
  renewed: Identity;
  fallen: readonly string[];
  staying: readonly { id: string; sealing: string }[];
};

/**
 * Revokes devices, and with them those that they have paired: answers all of them. With none it only renews the seed.
 * `workspaces`: ids of those that are to be told.
 */
export async function renewSeed(
  { ports, person, sync, errands }: Owner,
  root: Uint8Array,
  workspaces: readonly string[],
  revoke: readonly string[],
): Promise<readonly string[]> {
  const sign: RootSigner = (input) => ports.curves.sign(root, input);
  const link = person.homeLink();

  const plan = async (): Promise<Plan> => {
    const account = person.account();
    const devices = link ? await devicesOf(ports, account, link) : [];
    const falling = fallingWith(devices, revoke);
    if (falling.has(account.device.id)) throw ownParent();
    const staying = devices.filter(
      ({ id, revoked }) => !revoked && !falling.has(id) && id !== account.device.id,
    );
    const seed = { number: currentSeed(account).number + 1, secret: ports.random(32) };
    const identity = requiredIdentity(ports.keychain);
    const kept = { number: seed.number, secret: toBase64url(seed.secret) };
    return {
      account,
      seed,
      renewed: { ...identity, seeds: [...identity.seeds, kept] },
      fallen: [...falling],
      staying: staying.map(({ id, entry }) => ({ id, sealing: entry.sealing })),
    };
  };

  const errandsOf = async ({ account, seed, fallen }: Plan): Promise<Errand[]> => {
    const revocation = fallen.length > 0 ? await revocationOf(account.user, fallen, sign) : null;
    const told = workspaces.map(async (workspace): Promise<Errand[]> => {
      const rotation = await rotationOf(ports, account, workspace, seed, sign);
      return [...(revocation ? [{ workspace, entry: revocation }] : []), { workspace, entry: rotation }];
    });
    return (await Promise.all(told)).flat();
  };

  /** The errands are kept first: once the seed is out, nothing has the root any more. */
  const carryOut = async (planned: Plan, publish: () => Promise<void>) => {
    const kept = errands.keep(await errandsOf(planned));
    try {
      await publish();
    } catch (error) {
      errands.drop(kept);
      throw error;
    }
    person.adopt(planned.renewed);
    return planned.fallen;
  };

  if (!link) return carryOut(await plan(), async () => {});
  return sync.replace(async (next) => {
    const planned = await plan();
    const { account, seed, renewed, fallen } = planned;
    const key = documentKey(seed.secret, account.user, seed.number);
    const box = sealDocument(key, { type: "document", ...next }, ports.random);
    const result = await carryOut(planned, async () => {
      const { seeds, formerly } = renewed;
      const contents = sealContents(contentsKey(root), { type: "contents", seeds, formerly }, ports.random);
      const claim = { number: seed.number, contents, revoke: [...fallen] };
      const proof = await sign(rotateInput(account.home?.origin ?? "", account.user, claim));
      const boxes = await sealToOthers(ports, planned, sign);
      await link.ask("rotate", {
        ...claim,
        document: { version: next.version, box },
        seeds: boxes,
        proof: toBase64url(proof),
      });
    });
    return { box, result };
  });
}

function ownParent(): MeshError {
  return new MeshError(
    "refused",
    "The device that you are at was paired by that one, and would fall with it.",
    "Log in here by the passphrase first: claudemesh logout, then claudemesh login.",
  );
}

async function sealToOthers(
  { curves, random }: PeerPorts,
  { account: { user, device }, seed, staying }: Plan,
  sign: RootSigner,
): Promise<{ device: string; box: string }[]> {
  const own = deviceSealingSecret(device.secret);
  const fresh = { user, ...seed };
  const signature = await sign(newSeedInput(fresh));
  return Promise.all(
    staying.map(async ({ id, sealing }) => {
      const pair = await pairKey(curves, own, fromBase64url(sealing));
      return { device: id, box: sealSeed(seedWrapKey(pair, user, seed.number), fresh, signature, random) };
    }),
  );
}
