/** What a root has signed, brought into a workspace: its devices revoked, its seed renewed, its identity gone over into another. */
import { equalBytes, fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { deviceLine } from "#protocol/certificate.ts";
import type { ChainEntry } from "#protocol/chain/entries.ts";
import { seedInput } from "#protocol/chain/proofs.ts";
import { activeMember, type ChainState, isIn, type Member } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { type Account, type Seed, sealingPair } from "../account/account.ts";
import type { PeerPorts } from "../ports.ts";
import { deviceFields } from "./chain.ts";
import type { Membership } from "./membership.ts";

type Entry<T extends ChainEntry["type"]> = Omit<Extract<ChainEntry, { type: T }>, "type">;

/** The root's signature over an input of `protocol/chain/proofs.ts`. */
export type RootSigner = (input: Uint8Array) => Promise<Uint8Array>;

export type Identity = {
  /** `proof` serves every workspace of the account. @throws MeshError as `propose` does */
  revokeDevices(revocation: Entry<"device-revoke">, waitMs: number): Promise<ChainState>;
  /** By `seedRotation`. The account has the new seed before: what is sealed to it comes at once. */
  rotateSeed(rotation: Entry<"seed">, waitMs: number): Promise<ChainState>;
  /** This member's last word here: from now on the other identity speaks. */
  migrate(migration: Entry<"migrate">, waitMs: number): Promise<ChainState>;
  /** This device comes in, where its member is in already. */
  addDevice(waitMs: number): Promise<ChainState>;
};

/** What the root signs for a seed in one workspace. It isn't bound to a moment, so it may be brought in later. */
export async function seedRotation(
  ports: PeerPorts,
  account: Account,
  workspace: string,
  seed: Seed,
  sign: RootSigner,
): Promise<Entry<"seed">> {
  const { key } = await sealingPair(ports, account, workspace, seed);
  const proof = await sign(seedInput(workspace, account.user, seed.number, key));
  return { number: seed.number, sealing: toBase64url(key), proof: toBase64url(proof) };
}

/** Each looks at the chain anew when somebody else was first: what has become so meanwhile isn't said again. */
export function createIdentity(account: Account, propose: Membership["propose"]): Identity {
  const me = (chain: ChainState): Member => {
    const member = activeMember(chain, account.user);
    if (member) return member;
    throw new MeshError("not_a_member", "You aren't in this workspace any more.", "Ask for an invite link.");
  };

  return {
    revokeDevices: (revocation, waitMs) =>
      propose(async (chain) => {
        const { revoked } = me(chain);
        const isDone = revocation.devices.every((id) => revoked.has(id));
        return isDone ? null : { type: "device-revoke", ...revocation };
      }, waitMs),
    rotateSeed: (rotation, waitMs) =>
      propose(async (chain) => {
        const { seed, sealing } = me(chain);
        if (seed === rotation.number && equalBytes(sealing, fromBase64url(rotation.sealing))) return null;
        if (seed < rotation.number) return { type: "seed", ...rotation };
        throw new MeshError(
          "conflict",
          "Another device has renewed the account's key meanwhile.",
          "Log in again: claudemesh login",
        );
      }, waitMs),
    migrate: (migration, waitMs) =>
      propose(async (chain) => {
        me(chain);
        return { type: "migrate", ...migration };
      }, waitMs),
    addDevice: (waitMs) =>
      propose(async (chain) => {
        me(chain);
        return isIn(chain.devices.get(account.device.id))
          ? null
          : { type: "device", device: deviceFields(account) };
      }, waitMs),
  };
}

/** Whether nothing that comes after the entry is shown to this device any more. */
export function endsHere(entry: ChainEntry, account: Account): boolean {
  if (entry.type !== "device-revoke") return entry.type === "leave" || entry.type === "migrate";
  return deviceLine(deviceFields(account)).some((id) => entry.devices.includes(id));
}
