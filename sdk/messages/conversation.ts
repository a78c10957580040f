/** What was said, read in other ways than the inbox: with one of the others, by its words, and as it comes in. */
import { identitiesOf } from "#protocol/chain/state.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Database, SqlRow } from "#protocol/ports.ts";
import type { Opened, Peer } from "../peer.ts";
import { type Address, resolveIn } from "./address.ts";
import { MESSAGES } from "./inbox.ts";
import { keepWords } from "./words.ts";

/** Ranking looks at each hit: the newest are enough, and keep it within milliseconds. */
const RANKED = 3000;

export type Found = { opened: Opened; row: SqlRow };

/** The newest with whoever the address names, or with everybody; oldest first. @throws MeshError unknown_address, unknown_topic */
export async function conversation(
  peer: Peer,
  selector: string | undefined,
  address: string | undefined,
  limit: number,
): Promise<Found[]> {
  const where =
    address === undefined
      ? peer.readable(selector).map((opened) => ({ opened, address: null }))
      : resolveIn(peer, selector, address);
  const found: Found[] = [];
  for (const { opened, address: one } of where) {
    if (one?.topic) await opened.workspace.history.fill(one.label, one.topic, limit);
    found.push(...rowsWith(opened, one, limit));
  }
  return found.sort((a, b) => (String(a.row.id) < String(b.row.id) ? -1 : 1)).slice(-limit);
}

function rowsWith(opened: Opened, address: Address | null, limit: number): Found[] {
  const { replica, me } = opened.workspace;
  const chain = opened.workspace.chain();
  const identities = (id: string) => JSON.stringify(chain ? identitiesOf(chain, id) : [id]);
  const rows = () => {
    if (!address) return replica.db.sql(`${MESSAGES} ORDER BY m.id DESC LIMIT ?`).all(limit);
    const { label, toSession } = address;
    if (label === EVERYONE || address.topic !== null || label === me)
      return replica.db
        .sql(`${MESSAGES} WHERE m.label = ?1 AND (?1 <> ?2 OR m.sender = ?2) ORDER BY m.id DESC LIMIT ?3`)
        .all(label, me, limit);
    return replica.db
      .sql(
        `WITH theirs AS (SELECT value AS id FROM json_each(?1)), mine AS (SELECT value AS id FROM json_each(?2))
         ${MESSAGES} WHERE (m.label IN theirs AND m.sender IN mine AND (?3 IS NULL OR m.to_session = ?3))
           OR (m.label IN mine AND m.sender IN theirs AND (?3 IS NULL OR m.session = ?3))
         ORDER BY m.id DESC LIMIT ?4`,
      )
      .all(identities(label), identities(me), toSession, limit);
  };
  return rows().map((row) => ({ opened, row }));
}

/** Messages in which each word begins one of theirs, the best first. */
export function search(peer: Peer, selector: string | undefined, query: string, limit: number): Found[] {
  const found = peer
    .readable(selector)
    .flatMap((opened) => rowsLike(opened.workspace.replica.db, query, limit).map((row) => ({ opened, row })));
  return found.sort((a, b) => Number(a.row.score) - Number(b.row.score)).slice(0, limit);
}

/** Of one workspace; a lower `score` is a better one. */
export function rowsLike(db: Database, query: string, limit: number): SqlRow[] {
  if (query.trim() === "") return [];
  while (keepWords(db));
  return db
    .sql(
      `${MESSAGES} JOIN
            (SELECT position, score FROM
              (SELECT rowid AS position, rank AS score FROM message_words WHERE message_words MATCH ?
               ORDER BY rowid DESC LIMIT ${RANKED})
             ORDER BY score, position DESC LIMIT ?) h
         ON m.position = h.position
       ORDER BY h.score, m.position DESC`,
    )
    .all(matching(query), limit);
}

/** In FTS5's language: every word, quoted so that none is an operator, as the beginning of one. */
function matching(query: string): string {
  const words = query.split(/\s+/).filter((word) => word !== "");
  return words.map((word) => `"${word.replaceAll('"', '""')}"${word.length > 1 ? "*" : ""}`).join(" ");
}
