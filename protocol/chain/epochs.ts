/** The workspace's keys: who begins an epoch or shares one, and to whom it is sealed. */
import { equalBytes, fromBase64url } from "../bytes.ts";
import { type Case, invalid, key32, notAllowed, nothingLeft, signedByMember } from "./case.ts";
import type { EpochEntry } from "./entries.ts";
import { awaitingKey, type ChainState, currentEpoch, holdsKey } from "./state.ts";

export async function admitEpoch(at: Case, state: ChainState, entry: EpochEntry): Promise<ChainState> {
  const author = await signedByMember(at, state);
  if (!holdsKey(author)) throw notAllowed("a guest holds no workspace key");
  const current = currentEpoch(state);
  const sealed = new Map(
    Object.entries(entry.sealed).map(([to, box]) => {
      const toSeed = state.members.get(to)?.seed ?? 0;
      return [to, { toSeed, by: author.id, bySealing: author.sealing, box: fromBase64url(box) }];
    }),
  );
  const commitment = key32(entry.commitment);
  const previous = fromBase64url(entry.previous);

  if (current && entry.number === current.number) {
    if (state.stale) throw invalid("a stale epoch is sealed to nobody");
    if (!equalBytes(commitment, current.commitment)) throw invalid("the epoch has another key");
    if (previous.length > 0) throw invalid("the key before is sealed once");
    const waiting = new Set(awaitingKey(state).map((member) => member.id));
    if (sealed.size === 0 || ![...sealed.keys()].every((id) => waiting.has(id))) {
      throw nothingLeft("These members have the key already.");
    }
    const grown = { ...current, sealed: new Map([...current.sealed, ...sealed]) };
    return { ...state, epochs: [...state.epochs.slice(0, -1), grown] };
  }

  if (entry.number !== (current ? current.number + 1 : 0)) throw invalid("the epoch's number doesn't follow");
  if (previous.length > 0 !== (current !== undefined)) throw invalid("a new epoch carries the key before it");
  const holders = [...state.members.values()].filter(holdsKey);
  if (sealed.size !== holders.length || !holders.every((member) => sealed.has(member.id))) {
    throw invalid("a new epoch is sealed to every full member and nobody else");
  }
  return {
    ...state,
    epochs: [...state.epochs, { number: entry.number, commitment, previous, sealed }],
    stale: false,
  };
}
