/** Messages: the index of what was said, and sending, reading, tracking it. */
import { utf8 } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { DeliveryState, Message, MessageEvent } from "#protocol/features/message.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { SqlRow } from "#protocol/ports.ts";
import type { Handlers } from "#protocol/registry.ts";
import { type Address, resolveAddress, resolveSession } from "../address.ts";
import { conversation, type Found, KEEP_WORDS, search, WORDS_TABLE } from "../conversation.ts";
import type { Feature } from "../feature.ts";
import { memberNames } from "../names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { receiptsOf, stateOf } from "./receipt.ts";

export const message: Feature = {
  name: "message",
  tables: `
    CREATE TABLE messages (
      position INTEGER PRIMARY KEY, sender TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER, at INTEGER, label TEXT NOT NULL,
      to_text TEXT NOT NULL, to_session TEXT, session TEXT, topic TEXT, text TEXT NOT NULL, reply_to TEXT,
      thread TEXT, mentioned INTEGER NOT NULL, incoming INTEGER NOT NULL, priority TEXT NOT NULL, sent_at INTEGER NOT NULL,
      UNIQUE (sender, id)
    ) STRICT;
    CREATE INDEX messages_by_id ON messages (id);
    CREATE INDEX messages_incoming ON messages (id) WHERE incoming = 1;
    CREATE INDEX messages_by_topic ON messages (topic, id) WHERE topic IS NOT NULL;
    CREATE INDEX messages_by_label ON messages (label, sender, id);
    ${WORDS_TABLE}
  `,
  apply: {
    message({ db, me }, event, { id, from, label, seq, at }) {
      const mentioned = from !== me && event.mentions.includes(me);
      const incoming =
        label === me || (from !== me && (label === EVERYONE || event.group !== undefined)) || mentioned;
      const added = db
        .sql(
          `INSERT INTO messages (sender, id, seq, at, label, to_text, to_session, session, topic, text, reply_to,
             thread, mentioned, incoming, priority, sent_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        )
        .run(
          from,
          id,
          seq,
          at,
          label,
          event.to,
          event.toSession ?? null,
          event.session ?? null,
          event.topic ?? null,
          event.text,
          event.replyTo ?? null,
          event.thread ?? null,
          mentioned ? 1 : 0,
          incoming ? 1 : 0,
          event.priority,
          event.sentAt,
        );
      if (added.changes > 0) db.sql(KEEP_WORDS).run(event.text);
      else {
        db.sql("UPDATE messages SET seq = ?, at = ? WHERE sender = ? AND id = ? AND seq IS NULL").run(
          seq,
          at,
          from,
          id,
        );
      }
      if (label === me && seq !== null) {
        db.sql(
          "INSERT INTO receipts_due (id, member, state, at) VALUES (?, ?, 'delivered', ?) ON CONFLICT DO NOTHING",
        ).run(id, from, at);
      }
    },
  },
};

export function messageHandlers(peer: Peer): Handlers<Caller>["message"] {
  return {
    async send({ to, toSession, ...options }, caller) {
      if ((to === undefined) === (toSession === undefined)) {
        throw new MeshError(
          "usage",
          "A message has one receiver: TO or --to-session.",
          "See `claudemesh send --help`.",
        );
      }
      const resolve = (workspace: Workspace) =>
        toSession === undefined
          ? resolveAddress(peer, workspace, to ?? "")
          : resolveSession(peer, workspace, toSession);
      const opened = peer.writable(options.workspace, resolve);
      return sendMessage(peer, opened, resolve(opened.workspace), options, caller);
    },

    inbox({ workspace: selector, unread, markRead, limit = 1000 }, caller) {
      const messages = peer.readable(selector).flatMap((opened) =>
        opened.workspace.replica.db
          .sql(
            `SELECT m.*, r.id IS NOT NULL AS read FROM messages m LEFT JOIN reads r ON r.id = m.id
             WHERE ${FOR_ME} AND (?3 = 0 OR r.id IS NULL) ORDER BY m.id DESC LIMIT ?4`,
          )
          .all(namesOf(caller), opened.workspace.me, unread ? 1 : 0, limit)
          .map((row) => toMessage(opened, row)),
      );
      messages.sort((a, b) => (a.id < b.id ? -1 : 1));
      const shown = messages.slice(-limit);
      if (markRead) markAsRead(peer, shown);
      return { messages: shown };
    },

    typing({ workspace: selector, to }) {
      const resolve = (workspace: Workspace) => resolveAddress(peer, workspace, to);
      const { workspace } = peer.writable(selector, resolve);
      const address = resolve(workspace);
      workspace.signals.tell(address.label, { kind: "typing", to: address.to });
      return {};
    },

    async history({ workspace: selector, with: address, limit = 100, markRead }) {
      const messages = shown(await conversation(peer, selector, address, limit));
      if (markRead) markAsRead(peer, messages);
      return { messages };
    },

    search: ({ workspace: selector, query, limit = 50 }) => ({
      messages: shown(search(peer, selector, query, limit)),
    }),

    tail({ workspace: selector }, caller, emit) {
      const among = peer.readable(selector).map(({ workspace }) => workspace);
      const stop = peer.listen((opened, happening) => {
        if (!among.includes(opened.workspace) || happening.type !== "applied" || !happening.isNew) return;
        const { from, id } = happening.record;
        const isMine =
          happening.event.kind === "message" &&
          opened.workspace.replica.db
            .sql(`SELECT 1 FROM messages m WHERE ${FOR_ME} AND m.sender = ?3 AND m.id = ?4`)
            .get(namesOf(caller), opened.workspace.me, from, id);
        const said = isMine ? messageById(opened, from, id) : null;
        if (said) emit(said);
      });
      caller.ended(stop);
      return {};
    },

    status({ workspace: selector, id: part }) {
      const { opened, id } = findMessage(peer.readable(selector), part, "sender = me");
      return { id, ...receiptsOf(opened.workspace, id) };
    },
  };
}

/**
 * What is addressed to the session with the names ?1, a JSON list, or, where that is null, to the member ?2 and all of
 * their sessions.
 */
const FOR_ME = `
  m.incoming = 1 AND (
    ?1 IS NULL OR (
      coalesce(m.to_session, (SELECT session FROM routes WHERE id = m.id), '*')
        IN (SELECT '*' UNION ALL SELECT value FROM json_each(?1))
      AND NOT (m.sender = ?2 AND m.session IS NOT NULL AND m.session IN (SELECT value FROM json_each(?1)))
    )
  )`;

function namesOf({ session }: Caller): string | null {
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

function shown(found: readonly Found[]): Message[] {
  return found.map(({ opened, row }) => toMessage(opened, row));
}

type SendOptions = {
  id?: string | undefined;
  text: string;
  replyTo?: string | undefined;
  priority?: "now" | "next" | "low" | undefined;
  wait?: "stored" | "delivered" | "seen" | undefined;
  waitMs?: number | undefined;
};

/** Into the outbox; then, if asked to, waits for the receipt. */
export async function sendMessage(
  peer: Peer,
  opened: Opened,
  address: Address,
  options: SendOptions,
  { session }: Caller,
) {
  const { workspace, slug } = opened;
  const { text, wait, waitMs = 10_000, priority = "next" } = options;
  requireText(text);
  if (wait && wait !== "stored" && !workspace.chain()?.members.has(address.label)) {
    throw new MeshError(
      "usage",
      `Only a message to one member can be waited for until ${wait}.`,
      "Use --wait stored.",
    );
  }
  const replyTo = options.replyTo && findMessage([opened], options.replyTo, "any").id;
  const event: MessageEvent = {
    kind: "message",
    text,
    to: address.to,
    ...(address.toSession !== null ? { toSession: address.toSession } : {}),
    ...(session ? { session: session.name } : {}),
    ...(address.topic !== null ? { topic: address.topic } : {}),
    ...(address.group !== null ? { group: address.group } : {}),
    ...(replyTo ? { replyTo, thread: threadOf(workspace, replyTo) } : {}),
    mentions: mentionsIn(workspace, text),
    priority,
    sentAt: Math.floor(peer.now()),
  };
  const id = workspace.say(address.label, event, options.id);
  if (wait) await waitFor(workspace, id, wait, waitMs);
  return { id, workspace: slug, to: address.to, state: stateOf(workspace, id) };
}

/** A conversation goes by the message that began it. */
function threadOf(workspace: Workspace, replyTo: string): string {
  const row = workspace.replica.db.sql("SELECT thread FROM messages WHERE id = ?").get(replyTo);
  return row?.thread ? String(row.thread) : replyTo;
}

const REACHED: Record<"stored" | "delivered" | "seen", readonly DeliveryState[]> = {
  stored: ["stored", "delivered", "handed over", "seen", "answered", "held"],
  delivered: ["delivered", "handed over", "seen", "answered", "held"],
  seen: ["seen", "answered"],
};

async function waitFor(
  workspace: Workspace,
  id: string,
  wait: keyof typeof REACHED,
  ms: number,
): Promise<void> {
  try {
    await workspace.changed.until(
      () => {
        const state = stateOf(workspace, id);
        if (state === "refused")
          throw new MeshError(
            "refused",
            "The message was refused.",
            `See \`claudemesh message status ${id}\`.`,
          );
        return REACHED[wait].includes(state) ? state : null;
      },
      ms,
      wait,
    );
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== "timeout") throw error;
    throw new MeshError(
      "timeout",
      `Waited ${ms} ms for "${wait}"; the message is ${stateOf(workspace, id)} and goes on by itself.`,
      `Follow it with \`claudemesh message status ${id.slice(-8)}\`.`,
    );
  }
}

function requireText(text: string): void {
  if (text.trim() === "")
    throw new MeshError("empty_text", "The message is empty.", "Give a text, or - to read it from stdin.");
  const size = utf8(text).length;
  if (size > LIMITS.text) {
    throw new MeshError(
      "too_large",
      `The text has ${size} bytes; the limit is ${LIMITS.text}.`,
      "Split it, or share it as a file.",
    );
  }
}

function mentionsIn(workspace: Workspace, text: string): string[] {
  const ids = new Map([...memberNames(workspace)].map(([id, name]) => [name, id]));
  const named = [...text.matchAll(/(?<![\w@])@([a-z0-9][a-z0-9._-]{0,34})/g)].map((match) => match[1] ?? "");
  const mentioned = named.map((name) => ids.get(name) ?? ids.get(name.replace(/[._-]+$/, "")));
  return [...new Set(mentioned.filter((id) => id !== undefined))].slice(0, 100);
}

/** Marks are the member's: read here is read in all sessions. */
export function markAsRead(peer: Peer, messages: readonly Message[]): void {
  for (const { slug, workspace } of peer.readable(undefined)) {
    const mine = messages.filter((one) => one.workspace === slug && !one.read);
    if (mine.length === 0) continue;
    workspace.replica.db.transaction(() => {
      for (const { id } of mine)
        workspace.replica.db.sql("INSERT OR IGNORE INTO reads (id) VALUES (?)").run(id);
    });
  }
}

/** By a whole id, or a unique prefix or suffix. @throws MeshError not_found, ambiguous */
function findMessage(
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
    from: { member: sender, name, address: session ? `${name}/${session}` : name, verified: false },
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
  };
}

export function messageById(opened: Opened, sender: string, id: string): Message | null {
  const row = opened.workspace.replica.db
    .sql(
      "SELECT m.*, r.id IS NOT NULL AS read FROM messages m LEFT JOIN reads r ON r.id = m.id WHERE m.sender = ? AND m.id = ?",
    )
    .get(sender, id);
  return row ? toMessage(opened, row) : null;
}

/** Addressed to me and not read. */
export function unreadCount(workspace: Workspace): number {
  const row = workspace.replica.db
    .sql("SELECT count(*) AS n FROM messages WHERE incoming = 1 AND id NOT IN (SELECT id FROM reads)")
    .get();
  return Number(row?.n ?? 0);
}
