/** Messages on their way into one of this machine's sessions: committed before they are shown, so that none is shown twice. */
import type { Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

/** For the member or a room that they are in, not for one session. */
export type ForAnySession = { sender: string; id: string; seq: number; session: string | null };

const AT_ONCE = 500;

/** Those behind that sequence that nobody has read, oldest first. */
export function waitingAfter(workspace: Workspace, seq: number): ForAnySession[] {
  return workspace.replica.db
    .sql(
      `SELECT sender, id, seq, session FROM messages
       WHERE incoming = 1 AND to_session IS NULL AND seq > ? AND id NOT IN (SELECT id FROM reads) ORDER BY seq LIMIT ?`,
    )
    .all(seq, AT_ONCE)
    .map((row) => ({
      sender: String(row.sender),
      id: String(row.id),
      seq: Number(row.seq),
      session: row.session === null ? null : String(row.session),
    }));
}

/** To the session that was active last, other than the one that said it. */
export function handOver(
  peer: Peer,
  workspace: Workspace,
  { sender, id, session }: Pick<ForAnySession, "sender" | "id" | "session">,
): void {
  const { db } = workspace.replica;
  const active = peer.sessions().find(({ name }) => name !== session || sender !== workspace.me);
  if (!active) return;
  const given = db
    .sql("INSERT INTO routes (id, session, state) VALUES (?, ?, 'given') ON CONFLICT DO NOTHING")
    .run(id, active.name);
  if (given.changes === 0) return;
  workspace.tell({ type: "given", sender, id, session: active.name });
  db.sql("UPDATE routes SET state = 'shown' WHERE id = ?").run(id);
}

/** Given away by somebody who didn't come to say that they were shown: they are not shown again, and marked. */
export function mayHaveBeenShown(workspace: Workspace, after: number, upTo: number): void {
  const { db } = workspace.replica;
  db.sql(
    `INSERT INTO routes (id, state)
     SELECT id, 'possible' FROM messages
     WHERE incoming = 1 AND to_session IS NULL AND seq > ? AND seq <= ? AND id NOT IN (SELECT id FROM reads)
     ON CONFLICT DO UPDATE SET state = 'possible' WHERE state = 'given'`,
  ).run(after, upTo);
}

/** As this process begins: what a former one was about to show. */
export function markCutShort({ workspace }: Opened): void {
  workspace.replica.db.sql("UPDATE routes SET state = 'possible' WHERE state = 'given'").run();
}
