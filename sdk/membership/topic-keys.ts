/** The keys of private topics that this member was handed or has made: bare in memory, wrapped under the seed in the replica. */
import { equalBytes } from "#protocol/bytes.ts";
import { privateLabel, restingKey } from "#protocol/derive.ts";
import { unwrapKey, WORKSPACE_KEY_BYTES, wrapKey } from "#protocol/key-box.ts";
import type { Random } from "#protocol/ports.ts";
import { type Account, currentSeed } from "../account/account.ts";
import type { Replica } from "../replica/replica.ts";

export type TopicKeys = {
  labels(): readonly string[];
  has(label: string): boolean;
  /** Of one generation, those that anybody has handed: mostly one, after a race that of who lost too. */
  candidates(label: string, generation: number): readonly Uint8Array[];
  /** The first key, which names the label and its cells; null for a label that isn't a private topic of mine. */
  first(label: string): Uint8Array | null;
  /** Keeps what is new; false where nothing is, or where the keys aren't the label's. */
  learn(label: string, keys: ReadonlyMap<number, Uint8Array>): boolean;
};

/** Only who is or was in the topic can hand a key for it: more than a few are one of them at mischief. */
const MOST_CANDIDATES = 64;

export function createTopicKeys(
  { random }: { random: Random },
  workspace: string,
  account: Pick<Account, "user" | "seeds" | "formerly">,
  replica: Pick<Replica, "topicKeys" | "keepTopicKey">,
): TopicKeys {
  const topics = new Map<string, Map<number, Uint8Array[]>>();

  const add = (label: string, generation: number, key: Uint8Array): boolean => {
    const generations = topics.get(label) ?? new Map<number, Uint8Array[]>();
    const known = generations.get(generation) ?? [];
    if (known.length === MOST_CANDIDATES || known.some((one) => equalBytes(one, key))) return false;
    topics.set(label, generations.set(generation, [...known, key]));
    return true;
  };

  const keep = (label: string, generation: number, key: Uint8Array) => {
    const { number, secret } = currentSeed(account);
    const box = wrapKey(restingKey(secret, account.user, workspace), key, random);
    replica.keepTopicKey(label, generation, account.user, number, box);
  };

  for (const { label, generation, member, seed, box } of replica.topicKeys()) {
    const identities = [{ user: account.user, seeds: account.seeds }, ...account.formerly];
    const seeds = identities.find(({ user }) => user === member)?.seeds ?? [];
    const secret = seeds.find(({ number }) => number === seed)?.secret;
    const key = secret && unwrapKey(restingKey(secret, member, workspace), box);
    if (key) add(label, generation, key);
  }

  const first = (label: string) => topics.get(label)?.get(0)?.[0] ?? null;

  return {
    labels: () => [...topics.keys()],
    has: (label) => topics.has(label),
    candidates: (label, generation) => topics.get(label)?.get(generation) ?? [],
    first,
    learn(label, keys) {
      const named = keys.get(0);
      if (named?.length !== WORKSPACE_KEY_BYTES || privateLabel(named) !== label) return false;
      let isNew = false;
      for (const [generation, key] of keys) {
        if (key.length !== WORKSPACE_KEY_BYTES || !add(label, generation, key)) continue;
        keep(label, generation, key);
        isNew = true;
      }
      return isNew;
    },
  };
}
