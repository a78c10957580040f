/** The keys of one workspace that this member holds, opened from the chain and kept in memory. */
import { equalBytes, toBase64url } from "#protocol/bytes.ts";
import type { EpochEntry } from "#protocol/chain/entries.ts";
import { type ChainState, currentEpoch, type Epoch, holdsKey, type Member } from "#protocol/chain/state.ts";
import {
  cellKey,
  epochCommitment,
  epochWrapKey,
  inviteWrapKey,
  labelContentKey,
  labelId,
  labelsKey,
  pairKey,
  previousWrapKey,
} from "#protocol/derive.ts";
import { unwrapKey, WORKSPACE_KEY_BYTES, wrapKey } from "#protocol/key-box.ts";
import type { Curves, Log, Random } from "#protocol/ports.ts";
import type { SealingPair } from "../account/account.ts";

export type Keyring = {
  /** Opens what the chain has for me since last time. True when a key is new. */
  learn(chain: ChainState): Promise<boolean>;
  /** Null while nobody has sealed that epoch to me. */
  workspaceKey(epoch: number): Uint8Array | null;
  /** Content key of a label in an epoch. */
  contentKey(epoch: number, label: string): Uint8Array | null;
  /** Content key with another member. */
  pair(member: Pick<Member, "sealing">): Promise<Uint8Array>;
  /** The opaque id of a named label; null before the first key. */
  labelId(kind: "topic" | "group", name: string): string | null;
  /** The opaque key of a named cell; null before the first key. */
  cellKey(label: string, name: string): string | null;
  /** The entry that begins a new epoch, sealed to every full member; its key is remembered when it comes back. */
  newEpoch(chain: ChainState): Promise<EpochEntry>;
  /** The current key for whoever has an invite's secret; null without it. */
  wrapFor(chain: ChainState, invite: { code: string; secret: Uint8Array }): Uint8Array | null;
  /** Opens the key that an unattended invite carries. True when it is the current one, and held now. */
  unwrapFrom(chain: ChainState, invite: { code: string; secret: Uint8Array }): boolean;
  /** The entry that seals the current epoch to `members`; null without its key. */
  sealTo(chain: ChainState, members: readonly Member[]): Promise<EpochEntry | null>;
};

type KeyringPorts = { curves: Curves; random: Random; log: Log };

export function createKeyring(
  ports: KeyringPorts,
  workspace: string,
  user: string,
  own: SealingPair,
): Keyring {
  const { curves, random } = ports;
  const keys = new Map<number, Uint8Array>();
  const contentKeys = new Map<string, Uint8Array>();
  const pairs = new Map<string, Promise<Uint8Array>>();

  const pairWith = (publicKey: Uint8Array) => {
    const name = toBase64url(publicKey);
    const known = pairs.get(name);
    if (known) return known;
    const made = pairKey(curves, own.secret, publicKey);
    pairs.set(name, made);
    return made;
  };

  const openEpoch = async (epoch: Epoch): Promise<Uint8Array | null> => {
    const sealed = epoch.sealed.get(user);
    if (!sealed) return null;
    const wrapping = epochWrapKey(await pairWith(sealed.bySealing), workspace, epoch.number);
    return accept(epoch, unwrapKey(wrapping, sealed.box));
  };

  /** A key that isn't the one the entry committed to is no key. */
  const accept = (epoch: Epoch, key: Uint8Array | null): Uint8Array | null => {
    if (key && equalBytes(epochCommitment(key, workspace, epoch.number), epoch.commitment)) return key;
    ports.log.warn(
      { workspace, epoch: epoch.number, code: "bad_key" },
      "an epoch's key doesn't open or isn't the one committed to",
    );
    return null;
  };

  const sealFor = async (members: readonly Member[], epoch: number, key: Uint8Array) => {
    const sealed: Record<string, string> = {};
    for (const member of members) {
      const wrapping = epochWrapKey(await pairWith(member.sealing), workspace, epoch);
      sealed[member.id] = toBase64url(wrapKey(wrapping, key, random));
    }
    return sealed;
  };

  return {
    async learn(chain) {
      let learned = false;
      for (let i = chain.epochs.length - 1; i >= 0; i--) {
        const epoch = chain.epochs[i];
        if (!epoch || keys.has(epoch.number)) continue;
        const next = chain.epochs[i + 1];
        const nextKey = next && keys.get(next.number);
        const key = nextKey
          ? accept(epoch, unwrapKey(previousWrapKey(nextKey, workspace, next.number), next.previous))
          : await openEpoch(epoch);
        if (!key) continue;
        keys.set(epoch.number, key);
        learned = true;
      }
      return learned;
    },
    workspaceKey: (epoch) => keys.get(epoch) ?? null,
    contentKey(epoch, label) {
      const name = `${epoch}/${label}`;
      const known = contentKeys.get(name);
      if (known) return known;
      const key = keys.get(epoch);
      if (!key) return null;
      const made = labelContentKey(key, label);
      contentKeys.set(name, made);
      return made;
    },
    pair: (member) => pairWith(member.sealing),
    labelId(kind, name) {
      const first = keys.get(0);
      return first ? labelId(labelsKey(first), kind, name) : null;
    },
    cellKey(label, name) {
      const first = keys.get(0);
      return first ? cellKey(labelsKey(first), label, name) : null;
    },
    wrapFor(chain, { code, secret }) {
      const epoch = currentEpoch(chain);
      const key = epoch && keys.get(epoch.number);
      return key ? wrapKey(inviteWrapKey(secret, workspace, code, epoch.number), key, random) : null;
    },
    unwrapFrom(chain, { code, secret }) {
      const wrapped = chain.invites.get(code)?.wrapped;
      const epoch = currentEpoch(chain);
      if (!wrapped || wrapped.epoch !== epoch?.number) return false;
      const wrapping = inviteWrapKey(secret, workspace, code, epoch.number);
      const key = keys.get(epoch.number) ?? accept(epoch, unwrapKey(wrapping, wrapped.box));
      if (key) keys.set(epoch.number, key);
      return key !== null;
    },
    async newEpoch(chain) {
      const current = currentEpoch(chain);
      const number = current ? current.number + 1 : 0;
      const key = random(WORKSPACE_KEY_BYTES);
      const previousKey = current && keys.get(current.number);
      return {
        type: "epoch",
        number,
        commitment: toBase64url(epochCommitment(key, workspace, number)),
        sealed: await sealFor([...chain.members.values()].filter(holdsKey), number, key),
        previous: previousKey
          ? toBase64url(wrapKey(previousWrapKey(key, workspace, number), previousKey, random))
          : "",
      };
    },
    async sealTo(chain, members) {
      const epoch = currentEpoch(chain);
      const key = epoch && keys.get(epoch.number);
      if (!epoch || !key) return null;
      return {
        type: "epoch",
        number: epoch.number,
        commitment: toBase64url(epoch.commitment),
        sealed: await sealFor(members, epoch.number, key),
        previous: "",
      };
    },
  };
}
