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
  memberSealingSecret,
  ownCellsKey,
  pairKey,
  previousWrapKey,
} from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { unwrapKey, WORKSPACE_KEY_BYTES, wrapKey } from "#protocol/key-box.ts";
import type { Curves, Log, Random } from "#protocol/ports.ts";
import type { Header } from "#protocol/record.ts";
import { type Account, currentSeed } from "../account/account.ts";

export type Keyring = {
  /** Opens what the chain has for me since last time. True when a key is new. */
  learn(chain: ChainState): Promise<boolean>;
  /** Null while nobody has sealed that epoch to me. */
  workspaceKey(epoch: number): Uint8Array | null;
  /** Content key of a label in an epoch. */
  contentKey(epoch: number, label: string): Uint8Array | null;
  /**
   * Content key of two members, one of them me, under the seeds that `kid` names. Null without my seed of that number.
   * @throws MeshError bad_key where the other one has no seed of that number
   */
  pair(chain: ChainState, between: Pick<Header, "from" | "to" | "kid">): Promise<Uint8Array | null>;
  /** The opaque id of a named label; null before the first key. */
  labelId(kind: "topic" | "group", name: string): string | null;
  /** The opaque key of a named cell; null before the first key. */
  cellKey(label: string, name: string): string | null;
  /** The same for a member's label, where cells are their senders' own; no workspace key is needed. */
  ownCellKey(label: string, name: string): string;
  /**
   * The entry that begins a new epoch, sealed to every full member; its key is remembered when it comes back.
   * @throws MeshError waiting_for_key when this device doesn't have the newest seed
   */
  newEpoch(chain: ChainState): Promise<EpochEntry>;
  /** The current key for whoever has an invite's secret; null without it. */
  wrapFor(chain: ChainState, invite: { code: string; secret: Uint8Array }): Uint8Array | null;
  /** Opens the key that an unattended invite carries. True when it is the current one, and held now. */
  unwrapFrom(chain: ChainState, invite: { code: string; secret: Uint8Array }): boolean;
  /** The entry that seals the current epoch to `members`; null without its key. */
  sealTo(chain: ChainState, members: readonly Member[]): Promise<EpochEntry | null>;
};

type KeyringPorts = { curves: Curves; random: Random; log: Log };

/** The seeds that a record between two members is sealed under now. */
export function kidOf({ members }: ChainState, from: string, to: string): string {
  return `${members.get(from)?.seed ?? 0}.${members.get(to)?.seed ?? 0}`;
}

export function createKeyring(
  ports: KeyringPorts,
  workspace: string,
  account: Pick<Account, "user" | "seeds" | "formerly">,
): Keyring {
  const { user } = account;
  const { curves, random } = ports;
  const keys = new Map<number, Uint8Array>();
  const contentKeys = new Map<string, Uint8Array>();
  const pairs = new Map<string, Promise<Uint8Array>>();

  /** Mine, or that of an identity that I was. */
  const seedsOf = (member: string) =>
    member === user ? account.seeds : account.formerly.find((former) => former.user === member)?.seeds;

  /** Null without the seed of that number. */
  const pairWith = (me: string, number: number, publicKey: Uint8Array): Promise<Uint8Array> | null => {
    const name = `${me}.${number}/${toBase64url(publicKey)}`;
    const known = pairs.get(name);
    if (known) return known;
    const seed = seedsOf(me)?.find((one) => one.number === number);
    if (!seed) return null;
    const made = pairKey(curves, memberSealingSecret(seed.secret, me, workspace, number), publicKey);
    pairs.set(name, made);
    return made;
  };

  const openEpoch = async (epoch: Epoch): Promise<Uint8Array | null> => {
    for (const me of [user, ...account.formerly.map((former) => former.user)]) {
      const sealed = epoch.sealed.get(me);
      const pair = sealed && (await pairWith(me, sealed.toSeed, sealed.bySealing));
      if (pair) return accept(epoch, unwrapKey(epochWrapKey(pair, workspace, epoch.number), sealed.box));
    }
    return null;
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

  const sealFor = async (
    chain: ChainState,
    members: readonly Member[],
    epoch: number,
    key: Uint8Array,
  ): Promise<EpochEntry["sealed"]> => {
    const seed = chain.members.get(user)?.seed ?? currentSeed(account).number;
    const sealed: Record<string, string> = {};
    for (const member of members) {
      const pair = await pairWith(user, seed, member.sealing);
      if (!pair) throw seedMissing();
      sealed[member.id] = toBase64url(wrapKey(epochWrapKey(pair, workspace, epoch), key, random));
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
    async pair({ members }, { from, to, kid }) {
      const [fromSeed = 0, toSeed = 0] = kid.split(".").map(Number);
      const isMine = seedsOf(from) !== undefined;
      const [me, number, other, otherNumber] = isMine
        ? [from, fromSeed, members.get(to), toSeed]
        : [to, toSeed, members.get(from), fromSeed];
      const publicKey = other?.sealings.get(otherNumber);
      if (other && !publicKey)
        throw new MeshError("bad_key", "The record is sealed under a seed that nobody has.", "Drop it.");
      return publicKey ? pairWith(me, number, publicKey) : null;
    },
    labelId(kind, name) {
      const first = keys.get(0);
      return first ? labelId(labelsKey(first), kind, name) : null;
    },
    cellKey(label, name) {
      const first = keys.get(0);
      return first ? cellKey(labelsKey(first), label, name) : null;
    },
    ownCellKey(label, name) {
      const [first] = account.seeds;
      if (!first) throw new Error("an account has a seed");
      return cellKey(ownCellsKey(first.secret, user, workspace), label, name);
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
        sealed: await sealFor(chain, [...chain.members.values()].filter(holdsKey), number, key),
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
        sealed: await sealFor(chain, members, epoch.number, key),
        previous: "",
      };
    },
  };
}

/** Another device of the account renewed it. */
export function seedMissing(): MeshError {
  return new MeshError(
    "waiting_for_key",
    "This device doesn't have the account's newest key yet.",
    "Log in on it again: claudemesh login",
  );
}
