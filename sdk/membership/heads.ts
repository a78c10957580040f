/**
 * The chain heads that colleagues' devices have signed for, in records and faces. Whoever signed one was shown it by the
 * broker: nothing is sealed before that entry is here too. If it isn't, though everything up to the same point of the log
 * is, it was withheld from us; another entry in its place is a fork, which no later good behaviour explains.
 */
import { type ChainState, isIn } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Finding } from "#protocol/features/audit.ts";
import { CHAIN } from "#protocol/ids.ts";
import type { ChainHead } from "#protocol/schema.ts";

export type Heads = {
  /** `through`: the sequence by which the device had it. */
  claimed(dev: string, head: ChainHead, through: number): void;
  /** Another log: the sequences of before mean nothing in it. */
  logChanged(): void;
  /** Whether all that members' devices have signed for is here. */
  areReached(): boolean;
  trouble(): MeshError | null;
  findings(): Finding[];
};

export type HeadsOwner = {
  state(): ChainState | null;
  /** Of all entries that are known here, by height. */
  hashes(): readonly string[];
  cursor(): number;
  /** Entries that are known here, and that the broker's log doesn't have although it is applied to its end. */
  unplaced(): number;
};

type Claim = { dev: string; head: ChainHead; through: number };

export function createHeads({ state, hashes, cursor, unplaced }: HeadsOwner): Heads {
  /** The highest of each device, until it is reached; one of another chain for good. */
  const claims = new Map<string, Claim>();

  const isForked = ({ head }: Claim) => (hashes()[head.height] ?? head.hash) !== head.hash;
  const isReached = ({ head }: Claim) => hashes()[head.height] === head.hash;
  const isWithheld = (claim: Claim) => !isForked(claim) && cursor() >= claim.through;

  /** Of those who belong today: who was removed stops nobody any more. */
  const open = (): Claim[] => {
    for (const [dev, claim] of claims) if (isReached(claim)) claims.delete(dev);
    return [...claims.values()].filter(({ dev }) => isIn(state()?.devices.get(dev)));
  };

  return {
    claimed(dev, head, through) {
      const known = claims.get(dev);
      if (known && (isForked(known) || known.head.height > head.height)) return;
      const isAgain = known?.head.hash === head.hash;
      claims.set(dev, { dev, head, through: isAgain ? Math.min(known.through, through) : through });
      open();
    },
    logChanged() {
      for (const [dev, claim] of claims) claims.set(dev, { ...claim, through: Number.POSITIVE_INFINITY });
    },
    areReached: () => claims.size === 0 || open().length === 0,
    trouble() {
      const claimed = open();
      if (claimed.some(isForked)) return chainForked();
      return claimed.some(isWithheld) ? chainWithheld() : null;
    },
    findings() {
      const height = hashes().length - 1;
      const missing = unplaced();
      const detail = `entries up to ${height}, which are here and not in the broker's log`;
      const lost: Finding = { type: "withheld", member: null, label: CHAIN, count: missing, detail };
      const claimed = open().flatMap((claim): Finding[] => {
        const member = state()?.devices.get(claim.dev)?.member ?? null;
        const said = "as the member's own device says";
        const where = { member, label: CHAIN };
        if (isForked(claim)) {
          return [
            { type: "forked", ...where, count: 1, detail: `another entry ${claim.head.height}, ${said}` },
          ];
        }
        const count = claim.head.height - height;
        const detail = `entries up to ${claim.head.height}, ${said}`;
        return isWithheld(claim) ? [{ type: "withheld", ...where, count, detail }] : [];
      });
      return missing > 0 ? [lost, ...claimed] : claimed;
    },
  };
}

export function chainForked(): MeshError {
  return new MeshError(
    "chain_forked",
    "The broker shows us another membership chain than a colleague, or than before.",
    "Don't trust this broker.",
  );
}

export function chainWithheld(): MeshError {
  return new MeshError(
    "chain_withheld",
    "A colleague knows membership entries that the broker didn't show us.",
    "Don't trust this broker.",
  );
}
