/** A member's sealing key, one for each seed: the newest is sealed to, the old ones still open what they opened. */
import {
  type Case,
  type Entry,
  invalid,
  key32,
  nothingLeft,
  requireRootSignature,
  signedByMember,
} from "./case.ts";
import { seedInput } from "./proofs.ts";
import type { ChainState, Member } from "./state.ts";

/** What was sealed to the seed before stays readable to whoever has it, so the epoch is over. */
export async function admitSeed(at: Case, state: ChainState, entry: Entry<"seed">): Promise<ChainState> {
  const author = await signedByMember(at, state);
  const { number } = entry;
  const sealing = key32(entry.sealing);
  await requireRootSignature(
    at,
    author.root,
    seedInput(at.workspace, author.id, number, sealing),
    entry.proof,
  );
  if (number <= author.seed) throw nothingLeft("A seed of this number, or a newer one, is in force already.");
  const member = { ...author, ...withSealing(author, number, sealing) };
  return { ...state, members: new Map(state.members).set(author.id, member), stale: true };
}

/** Who was here before comes back with the same key or a newer one, never with an older. */
export function withSealing(
  known: Member | undefined,
  seed: number,
  sealing: Uint8Array,
): Pick<Member, "seed" | "sealing" | "sealings"> {
  if (known && seed < known.seed) throw invalid("its seed is older than the one that is known");
  const before = known?.sealings.get(seed);
  if (before?.some((byte, i) => byte !== sealing[i])) throw invalid("its seed gave another key before");
  return { seed, sealing, sealings: new Map(known?.sealings).set(seed, sealing) };
}
