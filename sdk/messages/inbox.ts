/** What is kept of messages, read: mine or not, read or not, found by an id or a part of one. */
import { MeshError } from "#protocol/errors.ts";
import type { Message } from "#protocol/features/message.ts";
import type { SqlRow } from "#protocol/ports.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { markRead } from "./marks.ts";
import { memberNames } from "./names.ts";

/**
 * What is addressed to the session with the names ?1, a JSON list, or, where that is null, to the member ?2 and all of
 * their sessions. What is held for its person isn't the session's to read.
 */
export const FOR_ME = `
  m.incoming = 1 AND (
    ?1 IS NULL OR (
      coalesce(m.to_session, (SELECT session FROM deliveries WHERE sender = m.sender AND id = m.id AND session <> ''), '*')
        IN (SELECT '*' UNION ALL SELECT value FROM json_each(?1))
      AND NOT (m.sender = ?2 AND m.session IS NOT NULL AND m.session IN (SELECT value FROM json_each(?1)))
      AND NOT EXISTS (
        SELECT 1 FROM deliveries WHERE sender = m.sender AND id = m.id AND state IN ('held', 'kept', 'refused', 'dropped')
          AND session IN (SELECT value FROM json_each(?1)))
    )
  )`;

/** Why a message `m` is held, or null. */
export const HELD = `SELECT reason FROM deliveries WHERE sender = m.sender AND id = m.id
  AND (state IN ('held', 'kept') OR state = 'given' AND reason IS NOT NULL) LIMIT 1`;

/** Whole messages, `m`, as `toMessage` takes them. */
export const MESSAGES = `SELECT m.*, EXISTS (SELECT 1 FROM reads WHERE id = m.id) AS read,
  EXISTS (SELECT 1 FROM deliveries WHERE sender = m.sender AND id = m.id AND state = 'possible') AS possible,
  (${HELD}) AS held FROM messages m`;

export function namesOf({ session }: Caller): string | null {
  return session && JSON.stringify(session.names);
}

/** What the session that calls has said and was sent, in all workspaces. */
export function countsOf(peer: Peer, caller: Caller): { sent: number; received: number; unread: number } {
  const total = { sent: 0, received: 0, unread: 0 };
  for (const { workspace } of peer.readable(undefined)) {
    const count = (condition: string) =>
      Number(
        workspace.replica.db
          .sql(`SELECT count(*) AS n FROM messages m WHERE ${condition}`)
          .get(namesOf(caller), workspace.me)?.n ?? 0,
      );
    total.sent += count("m.sender = ?2 AND m.session IN (SELECT value FROM json_each(?1))");
    total.received += count(FOR_ME);
    total.unread += count(`${FOR_ME} AND m.id NOT IN (SELECT id FROM reads)`);
  }
  return total;
}

export function markAsRead(peer: Peer, messages: readonly Message[]): void {
  for (const { slug, workspace } of peer.readable(undefined)) {
    const mine = messages.filter((one) => one.workspace === slug && !one.read);
    markRead(
      workspace,
      mine.map(({ id }) => id),
    );
  }
}

/** By a whole id, or a unique prefix or suffix. @throws MeshError not_found, ambiguous */
export function findMessage(
  among: readonly Opened[],
  part: string,
  whose: "any" | "sender = me",
): { opened: Opened; id: string } {
  const found = among.flatMap((opened) =>
    opened.workspace.replica.db
      .sql(
        "SELECT id FROM messages WHERE (id LIKE ?1 || '%' OR id LIKE '%' || ?1) AND (?2 = 'any' OR sender = ?3) LIMIT 2",
      )
      .all(part, whose, opened.workspace.me)
      .map((row) => ({ opened, id: String(row.id) })),
  );
  const [first, second] = found;
  if (!first)
    throw new MeshError(
      "not_found",
      `No message has the id ${part}.`,
      "See `claudemesh inbox --json` for ids.",
    );
  if (second)
    throw new MeshError("ambiguous", `Several messages have an id like ${part}.`, "Give more of it.");
  return first;
}

export function toMessage({ slug, workspace }: Opened, row: SqlRow): Message {
  const names = memberNames(workspace);
  const sender = String(row.sender);
  const name = names.get(sender) ?? sender;
  const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
  const session = text(row.session);
  return {
    id: String(row.id),
    workspace: slug,
    from: {
      member: sender,
      name,
      address: session ? `${name}/${session}` : name,
      ...workspace.trust.of(sender),
    },
    to: String(row.to_text),
    topic: text(row.topic),
    text: String(row.text),
    replyTo: text(row.reply_to),
    thread: text(row.thread),
    mentioned: row.mentioned === 1,
    priority: row.priority === "now" || row.priority === "low" ? row.priority : "next",
    sentAt: new Date(Number(row.sent_at)).toISOString(),
    receivedAt: row.at === null ? null : new Date(Number(row.at)).toISOString(),
    read: row.read === 1 || sender === workspace.me,
    possiblyShown: row.possible === 1,
    held: text(row.held),
  };
}

export function messageById(opened: Opened, sender: string, id: string): Message | null {
  const row = opened.workspace.replica.db.sql(`${MESSAGES} WHERE m.sender = ? AND m.id = ?`).get(sender, id);
  return row ? toMessage(opened, row) : null;
}

/** How a message is addressed, as its sender says, but for the label; `session`: the one that said it. */
export function addressOf({ replica: { db } }: Workspace, sender: string, id: string) {
  const row = db
    .sql("SELECT label, session, to_session, topic, hops FROM messages WHERE sender = ? AND id = ?")
    .get(sender, id);
  const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
  return {
    label: text(row?.label),
    session: text(row?.session),
    toSession: text(row?.to_session),
    topic: text(row?.topic),
    hops: row?.hops === null || row?.hops === undefined ? null : Number(row.hops),
  };
}

/** Addressed to me and not read. */
export function unreadCount(workspace: Workspace): number {
  const row = workspace.replica.db
    .sql("SELECT count(*) AS n FROM messages WHERE incoming = 1 AND id NOT IN (SELECT id FROM reads)")
    .get();
  return Number(row?.n ?? 0);
}
