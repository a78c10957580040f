/** Messages on their way into this machine's sessions: what is done next is committed first, so that none is shown twice. */
import type { ReceiptState } from "#protocol/features/receipt.ts";
import type { Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { markRead } from "./marks.ts";
import { owe } from "./owing.ts";

/** A message as it is to be given. `session`: the one that said it; `toSession`: whom it names, null for any. */
export type Giveable = { sender: string; id: string; session: string | null; toSession: string | null };

/** A message in the hands of one session. */
export type Given = { sender: string; id: string; session: string };

/** One that isn't shown there yet. `reason`: why it has waited so far; `isReleased`: its person wants it shown. */
export type Queued = Given & { reason: string | null; isReleased: boolean };

const AT_ONCE = 500;
/** A name may have moved on more than once. */
const LONGEST_FORWARD = 5;
/** What is older waits in the inbox alone. */
const FRESH_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * To the session that it names, to all for `*`, else to the one that was active last, if possible one that may be disturbed;
 * never to the one that said it, and to none twice.
 */
export function give(peer: Peer, workspace: Workspace, message: Giveable): void {
  const { sender, id, session: speaker, toSession } = message;
  const others = peer.sessions().filter(({ name }) => name !== speaker || sender !== workspace.me);
  const named = toSession === null ? null : currentName(peer, toSession);
  const receivers =
    named === null
      ? others.toSorted((a, b) => Number(a.status === "dnd") - Number(b.status === "dnd")).slice(0, 1)
      : named === "*"
        ? others
        : others.filter(({ name }) => name === named).slice(0, 1);
  for (const { name } of receivers) {
    const isGiven = workspace.replica.db.transaction(() =>
      insert(peer, workspace, { sender, id, session: name }, named),
    );
    if (isGiven) workspace.tell({ type: "given", sender, id, session: name });
  }
}

function insert(
  peer: Peer,
  workspace: Workspace,
  { sender, id, session }: Given,
  named: string | null,
): boolean {
  const { db } = workspace.replica;
  const before = db
    .sql(
      "SELECT max(released) AS released FROM deliveries WHERE sender = ? AND id = ? AND state = 'returned'",
    )
    .get(sender, id);
  db.sql("DELETE FROM deliveries WHERE sender = ? AND id = ? AND state = 'returned'").run(sender, id);
  const added = db
    .sql(
      `INSERT INTO deliveries (sender, id, session, state, at, released) SELECT ?1, ?2, ?3, 'given', ?5, ?6
       WHERE ?4 OR NOT EXISTS (SELECT 1 FROM deliveries WHERE sender = ?1 AND id = ?2) ON CONFLICT DO NOTHING`,
    )
    .run(sender, id, session, named === null ? 0 : 1, Math.floor(peer.now()), Number(before?.released ?? 0));
  return added.changes > 0;
}

/** By which name the session goes now that had this one. */
function currentName(peer: Peer, name: string): string {
  const forwards = new Map(peer.forwardedSessions().map((one) => [one.name, one.forwards]));
  let current = name;
  for (let i = 0; i < LONGEST_FORWARD; i++) current = forwards.get(current) ?? current;
  return current;
}

/** For any session behind that sequence that nobody has read, oldest first. */
export function waitingAfter(workspace: Workspace, seq: number): (Giveable & { seq: number })[] {
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
      toSession: null,
    }));
}

/**
 * Gives what nobody was there for. With `shared`, several machines agree by the focus on what is for no session in
 * particular: of that only what was in this machine's hands already.
 */
export function giveWaiting(peer: Peer, workspace: Workspace, shared: boolean): void {
  const { db } = workspace.replica;
  const rows = db
    .sql(
      `SELECT m.sender, m.id, m.session, m.to_session FROM messages m
       LEFT JOIN deliveries d ON d.sender = m.sender AND d.id = m.id
       WHERE m.incoming = 1 AND (m.id > ?1 AND m.id NOT IN (SELECT id FROM reads) OR d.released = 1)
         AND (d.state = 'returned' OR d.id IS NULL AND (?2 = 0 OR coalesce(m.to_session, '*') <> '*'))
       ORDER BY m.id DESC LIMIT ?3`,
    )
    .all(firstId(peer.now() - FRESH_MS), shared ? 1 : 0, AT_ONCE);
  for (const row of rows.reverse()) {
    give(peer, workspace, {
      sender: String(row.sender),
      id: String(row.id),
      session: row.session === null ? null : String(row.session),
      toSession: row.to_session === null ? null : String(row.to_session),
    });
  }
}

/** The least id that can have been minted at that time, in ms (UUIDv7, RFC 9562). */
function firstId(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** Given away by another machine, which didn't come to say that they were shown: they are not shown here, and marked. */
export function mayHaveBeenShown(workspace: Workspace, after: number, upTo: number): void {
  workspace.replica.db
    .sql(
      `INSERT INTO deliveries (sender, id, session, state, at)
       SELECT sender, id, '', 'possible', 0 FROM messages m
       WHERE incoming = 1 AND to_session IS NULL AND seq > ? AND seq <= ? AND id NOT IN (SELECT id FROM reads)
         AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.sender = m.sender AND d.id = m.id)`,
    )
    .run(after, upTo);
}

/** As this process begins: what a former one had in hand goes on; what it was just showing is never shown again. */
export function takeUp({ replica: { db } }: Workspace): void {
  db.transaction(() => {
    db.sql("UPDATE deliveries SET state = 'possible' WHERE state = 'posting'").run();
    db.sql(
      "UPDATE deliveries SET state = 'returned', session = '', reason = NULL WHERE state = 'given'",
    ).run();
  });
}

/** The session has gone. What it was being shown may have come to it or not; the rest waits for another, or for it. */
export function takeBack({ replica: { db } }: Workspace, session: string): void {
  db.transaction(() => {
    db.sql("UPDATE deliveries SET state = 'possible' WHERE state = 'posting' AND session = ?").run(session);
    db.sql(
      "UPDATE OR REPLACE deliveries SET state = 'returned', session = '', reason = NULL WHERE state = 'given' AND session = ?",
    ).run(session);
  });
}

/** What is to be shown at that session: what wasn't looked at yet, then what waits for a better moment; oldest first. */
export function givenTo(workspace: Workspace, session: string, limit: number): Queued[] {
  return workspace.replica.db
    .sql(
      `SELECT sender, id, reason, released FROM deliveries WHERE state = 'given' AND session = ?
       ORDER BY reason IS NOT NULL, id LIMIT ?`,
    )
    .all(session, limit)
    .map((row) => ({
      sender: String(row.sender),
      id: String(row.id),
      session,
      reason: row.reason === null ? null : String(row.reason),
      isReleased: row.released === 1,
    }));
}

/** Of those that were shown there and weren't seen yet, the ones whose ids end so. A model may be quicker than its adapter's word. */
export function shownAs(workspace: Workspace, session: string, endings: readonly string[]): Given[] {
  return workspace.replica.db
    .sql(
      `SELECT sender, id FROM deliveries
       WHERE session = ? AND state IN ('posting', 'shown', 'possible', 'kept') AND substr(id, -8) IN (SELECT value FROM json_each(?))`,
    )
    .all(session, JSON.stringify(endings))
    .map((row) => ({ sender: String(row.sender), id: String(row.id), session }));
}

export type Step =
  | "posting"
  | "given"
  | "counted"
  | "shown"
  | "kept"
  | "seen"
  | "held"
  | "refused"
  | "dropped";

/** In one commit: where they stand now, and what their senders are to hear of it. */
export function become(
  peer: Peer,
  workspace: Workspace,
  all: readonly Given[],
  state: Step,
  told: { state: ReceiptState; reason?: string } | null = null,
): void {
  const { db } = workspace.replica;
  const at = Math.floor(peer.now());
  const members = db.transaction(() => {
    for (const { sender, id, session } of all) {
      db.sql(
        `UPDATE deliveries SET state = ?4, at = CASE WHEN ?4 IN ('posting', 'shown', 'kept') THEN ?5 ELSE at END, reason = ?6
         WHERE sender = ?1 AND id = ?2 AND session = ?3 AND state <> 'seen'`,
      ).run(sender, id, session, state, at, told?.reason ?? null);
    }
    if (!told) return new Set<string>();
    const owed = all.map(({ sender, id, session }) => ({
      sender,
      id,
      state: told.state,
      at,
      detail: told.reason ?? session,
    }));
    return owe(workspace, owed);
  });
  for (const member of members) workspace.tell({ type: "owed", member });
}

/** Committed before they leave for the session. */
export function posting(peer: Peer, workspace: Workspace, all: readonly Given[]): void {
  become(peer, workspace, all, "posting");
}

/** They didn't leave after all. */
export function notPosted(peer: Peer, workspace: Workspace, all: readonly Given[]): void {
  become(peer, workspace, all, "given");
}

/** The session was told how many there are; they are in its inbox, and not shown again. */
export function counted(peer: Peer, workspace: Workspace, all: readonly Given[]): void {
  become(peer, workspace, all, "counted");
}

/** The session has them; whether its model hears them is another matter. */
export function shown(peer: Peer, workspace: Workspace, all: readonly Given[]): void {
  become(peer, workspace, all, "shown", { state: "handed over" });
}

/** A turn of the session's model had them: they are read. */
export function seen(peer: Peer, workspace: Workspace, all: readonly Given[]): void {
  become(peer, workspace, all, "seen", { state: "seen" });
  const ids = all.map(({ id }) => id);
  markRead(workspace, ids);
}

/** Read elsewhere while it waited: there is nothing to show any more. */
export function readMeanwhile(peer: Peer, workspace: Workspace, all: readonly Given[]): void {
  become(peer, workspace, all, "seen");
}

/** The session's client has it, and shows it once its person lets it; who sent it hears why. */
export function keptByClient(peer: Peer, workspace: Workspace, all: readonly Given[], reason: string): void {
  become(peer, workspace, all, "kept", { state: "held", reason });
}

/** Not shown before its person lets it, or never; who sent it hears why. */
export function keptBack(
  peer: Peer,
  workspace: Workspace,
  given: Given,
  state: "held" | "refused",
  reason: string,
): void {
  become(peer, workspace, [given], state, { state, reason });
}

/** Not shown just now; looked at again by itself. To who sent it that is the same as held. */
export function putOff(peer: Peer, workspace: Workspace, given: Given, reason: string): void {
  become(peer, workspace, [given], "given", { state: "held", reason });
}
