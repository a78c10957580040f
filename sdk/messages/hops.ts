/** How far a message is from a person: what tells sessions that answer each other from a person who is at work with one. */
import type { CallingSession, Peer } from "../peer.ts";

/** Sessions that nobody types in begin anew after this time, so that one that serves others isn't silent for ever. */
export const REMEMBERED_MS = 60 * 60 * 1000;

/** Of what that session says now: one more than what came to it since its person typed. */
export function hopsOf(peer: Peer, session: Pick<CallingSession, "id" | "names">): number {
  const since = aloneSince(peer, session.id);
  const most = peer.opened().map(({ workspace }) => {
    const row = workspace.replica.db
      .sql(
        `SELECT max(coalesce(m.hops, 0)) AS hops FROM deliveries d JOIN messages m ON m.sender = d.sender AND m.id = d.id
         WHERE d.at > ? AND d.session IN (SELECT value FROM json_each(?))
           AND d.state IN ('given', 'posting', 'shown', 'kept', 'counted', 'seen', 'possible')`,
      )
      .get(since, JSON.stringify(session.names));
    return Number(row?.hops ?? 0);
  });
  return Math.min(Math.max(0, ...most) + 1, 1_000_000);
}

/** In ms: when its person last typed there; where that is long ago or unknown, as far back as it matters. */
export function aloneSince(peer: Peer, session: string): number {
  const row = peer.database.sql("SELECT max(typed_at) AS at FROM sessions WHERE id = ?").get(session);
  return Math.max(Number(row?.at ?? 0), Math.floor(peer.now()) - REMEMBERED_MS);
}
