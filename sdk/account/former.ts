/** Identities that this person was before: their seeds travel in the account document, sealed under today's. */
import { formerSeedsKey } from "#protocol/account/keys.ts";
import { openFormer, sealFormer } from "#protocol/account/vault.ts";
import type { PeerPorts } from "../ports.ts";
import { currentSeed } from "./account.ts";
import { type Identity, requiredIdentity } from "./identity.ts";
import type { Person } from "./person.ts";

/** The heir's keys with all that opens what was sealed to the one before. */
export function withFormer(heir: Identity, old: Identity, user: string): Identity {
  const formerly = [...old.formerly, { user, seeds: old.seeds }].filter(
    (one) => !heir.formerly.some((known) => known.user === one.user),
  );
  return { ...heir, formerly: [...heir.formerly, ...formerly] };
}

/** Tells the other machines of those that are known here. */
export function tellFormer(
  { random }: Pick<PeerPorts, "random">,
  { account, document }: Person,
  identity: Identity,
): void {
  const { user, seeds } = account();
  const seed = currentSeed({ seeds });
  for (const former of identity.formerly) {
    if (document.get("former", former.user)) continue;
    const box = sealFormer(formerSeedsKey(seed.secret, user, seed.number), former, random);
    document.set("former", former.user, { seed: seed.number, box });
  }
}

/** Takes in what another machine has told. True when something is new. */
export function learnFormer({ keychain, log }: Pick<PeerPorts, "keychain" | "log">, person: Person): boolean {
  const { user, seeds, formerly } = person.account();
  const fresh: Identity["formerly"] = [];
  for (const [id, told] of person.document.all("former")) {
    const seed = seeds.find(({ number }) => number === told.seed);
    if (!seed || formerly.some((one) => one.user === id)) continue;
    try {
      const former = openFormer(formerSeedsKey(seed.secret, user, seed.number), told.box);
      if (former.user === id) fresh.push(former);
    } catch {
      log.warn({ former: id }, "the seeds of a former identity can't be opened");
    }
  }
  if (fresh.length === 0) return false;
  const identity = requiredIdentity(keychain);
  person.adopt({ ...identity, formerly: [...identity.formerly, ...fresh] });
  return true;
}
