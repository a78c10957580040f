/** What a root has signed, brought into a workspace: its devices revoked, its seed renewed, its identity gone over into another. */
import { equalBytes, fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { deviceLine } from "#protocol/certificate.ts";
import type { ChainEntry } from "#protocol/chain/entries.ts";
import { deviceRevokeInput, migrateInput, seedInput } from "#protocol/chain/proofs.ts";
import { activeMember, type ChainState, isIn, type Member } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { type Account, currentSeed, type Seed, sealingPair } from "../account/account.ts";
import type { PeerPorts } from "../ports.ts";
import { deviceFields } from "./chain.ts";
import type { Membership } from "./membership.ts";

type Entry<T extends ChainEntry["type"]> = Extract<ChainEntry, { type: T }>;

/** Their proofs aren't bound to a moment, so they may be brought in whenever the workspace's broker can be reached. */
export type RootEntry = Entry<"device-revoke" | "seed" | "migrate">;

/** The root's signature over an input of `protocol/chain/proofs.ts`. */
export type RootSigner = (input: Uint8Array) => Promise<Uint8Array>;

export type RootEntries = {
  /**
   * Looks at the chain anew when somebody else was first: what has become so meanwhile isn't said again. A `seed` is known
   * to the account before; a `migrate` is this member's last word here. @throws MeshError as `propose` does
   */
  bring(entry: RootEntry, waitMs: number): Promise<ChainState>;
  /** This device comes in, where its member is in already. */
  addDevice(waitMs: number): Promise<ChainState>;
};

/** One serves every workspace of the account. */
export async function revocationOf(
  user: string,
  devices: readonly string[],
  sign: RootSigner,
): Promise<Entry<"device-revoke">> {
  const proof = await sign(deviceRevokeInput(user, devices));
  return { type: "device-revoke", devices: [...devices], proof: toBase64url(proof) };
}

export async function rotationOf(
  ports: PeerPorts,
  { user }: Pick<Account, "user">,
  workspace: string,
  seed: Seed,
  sign: RootSigner,
): Promise<Entry<"seed">> {
  const { key } = await sealingPair(ports, { user, seeds: [seed] }, workspace);
  const proof = await sign(seedInput(workspace, user, seed.number, key));
  return { type: "seed", number: seed.number, sealing: toBase64url(key), proof: toBase64url(proof) };
}

/** `account` becomes `heir`, in one workspace. */
export async function migrationOf(
  ports: PeerPorts,
  { user: from }: Pick<Account, "user">,
  heir: Account,
  workspace: string,
  roots: { old: Uint8Array; heir: Uint8Array },
): Promise<Entry<"migrate">> {
  const { key: sealing } = await sealingPair(ports, heir, workspace);
  const seed = currentSeed(heir).number;
  const input = migrateInput(workspace, from, { user: heir.user, seed, sealing });
  const [consent, proof] = await Promise.all(
    [roots.old, roots.heir].map((root) => ports.curves.sign(root, input)),
  );
  if (!consent || !proof) throw new Error("two roots give two signatures");
  return {
    type: "migrate",
    root: toBase64url(heir.rootKey),
    sealing: toBase64url(sealing),
    seed,
    device: deviceFields(heir),
    consent: toBase64url(consent),
    proof: toBase64url(proof),
  };
}

export function createRootEntries(account: Account, propose: Membership["propose"]): RootEntries {
  const me = (chain: ChainState): Member => {
    const member = activeMember(chain, account.user);
    if (member) return member;
    throw new MeshError("not_a_member", "You aren't in this workspace any more.", "Ask for an invite link.");
  };

  const isDone = (chain: ChainState, entry: RootEntry): boolean => {
    const { revoked, seed, sealing } = me(chain);
    switch (entry.type) {
      case "device-revoke":
        return entry.devices.every((id) => revoked.has(id));
      case "seed":
        if (seed < entry.number) return false;
        if (seed === entry.number && equalBytes(sealing, fromBase64url(entry.sealing))) return true;
        throw new MeshError(
          "conflict",
          "Another device has renewed the account's key meanwhile.",
          "Log in again: claudemesh login",
        );
      case "migrate":
        return false;
    }
  };

  return {
    bring: (entry, waitMs) => propose(async (chain) => (isDone(chain, entry) ? null : entry), waitMs),
    addDevice: (waitMs) =>
      propose(async (chain) => {
        me(chain);
        const isThere = isIn(chain.devices.get(account.device.id));
        return isThere ? null : { type: "device", device: deviceFields(account) };
      }, waitMs),
  };
}

/** Whether nothing that comes after the entry is shown to this device any more. */
export function endsHere(entry: ChainEntry, account: Account): boolean {
  if (entry.type !== "device-revoke") return entry.type === "leave" || entry.type === "migrate";
  return deviceLine(deviceFields(account)).some((id) => entry.devices.includes(id));
}
