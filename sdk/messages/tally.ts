/** Counts of what has passed between a session here and others, for who decides about the next message. */
import type { Workspace } from "../workspace.ts";

/** A session that is told about a message, by all names that it has had; and who says it. */
export type Pair = { sender: string; session: string; names: readonly string[] };

/** The newest messages that are looked through for a to and fro. */
const LOOKED_AT = 1000;
const MINUTE_MS = 60_000;

/** In which turn between the two a message stands, counted from the first one after `since` (ms): 1, the answer 2, … */
export function turnOf(workspace: Workspace, id: string, pair: Pair, since: number): number {
  const rows = workspace.replica.db
    .sql(
      `SELECT id, coalesce(at, sent_at) AS at, sender = ?2 AND session = ?3 AS theirs FROM messages
       WHERE position > (SELECT max(position) FROM messages) - ${LOOKED_AT} AND position <= (
           SELECT position FROM messages WHERE sender = ?2 AND id = ?1)
         AND (sender = ?2 AND label = ?4 AND session = ?3
           OR sender = ?4 AND label = ?2 AND session IN (SELECT value FROM json_each(?5)))
       ORDER BY position DESC`,
    )
    .all(id, pair.sender, pair.session, workspace.me, JSON.stringify(pair.names));
  let turns = 0;
  let side: unknown = null;
  for (const { at, theirs } of rows) {
    if (Number(at) <= since) break;
    if (theirs !== side) turns++;
    side = theirs;
  }
  return turns;
}

/** How often the same words of the same sender were shown to that session since then. */
export function timesShown(
  workspace: Workspace,
  { sender, id, session }: { sender: string; id: string; session: string },
  since: number,
): number {
  const row = workspace.replica.db
    .sql(
      `SELECT count(*) AS n FROM deliveries d
         JOIN messages m ON m.sender = d.sender AND m.id = d.id
         JOIN messages this ON this.sender = ?1 AND this.id = ?2
       WHERE d.at > ?4 AND d.session = ?3 AND d.sender = ?1 AND d.state IN ('posting', 'shown', 'kept', 'seen', 'possible')
         AND m.text = this.text AND m.session IS this.session`,
    )
    .get(sender, id, session, since);
  return Number(row?.n ?? 0);
}

/** When the sender's messages that the session was shown in the last minute are fewer than `limit` again, in ms; null: they are. */
export function roomAt(
  workspace: Workspace,
  { sender, session }: { sender: string; session: string },
  limit: number,
  now: number,
): number | null {
  if (limit <= 0) return now + MINUTE_MS;
  const row = workspace.replica.db
    .sql(
      `SELECT at FROM deliveries WHERE at > ? AND sender = ? AND session = ? AND state IN ('posting', 'shown', 'kept', 'seen', 'possible')
       ORDER BY at DESC LIMIT 1 OFFSET ?`,
    )
    .get(Math.floor(now) - MINUTE_MS, sender, session, limit - 1);
  return row ? Number(row.at) + MINUTE_MS : null;
}
