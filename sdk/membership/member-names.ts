/** What members are called. */
import { type ChainState, heirOf } from "#protocol/chain/state.ts";
import { shortId } from "#protocol/ids.ts";
import type { Database } from "#protocol/ports.ts";

/**
 * Member id → the name in this workspace. The second of a name in chain order gets "-2", the third "-3": on every
 * daemon alike. Who hasn't told a name yet goes by the end of the id. An identity that has become another one goes by
 * that one's name, which stands in the first one's place, and is the first one's until its heir has told its own.
 */
export function namesOfMembers(db: Database, chain: ChainState | null): Map<string, string> {
  const chosen = new Map(
    db
      .sql("SELECT member, name FROM member_names")
      .all()
      .map((row) => [String(row.member), String(row.name)]),
  );
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const id of chain?.members.keys() ?? []) {
    const heir = chain ? heirOf(chain, id) : id;
    const given = names.get(heir);
    if (given !== undefined) {
      names.set(id, given);
      continue;
    }
    const wanted = chosen.get(heir) ?? chosen.get(id) ?? shortId(heir).toLowerCase();
    let name = wanted;
    for (let i = 2; taken.has(name); i++) name = `${wanted}-${i}`;
    taken.add(name);
    names.set(id, name).set(heir, name);
  }
  return names;
}
