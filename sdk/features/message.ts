/** Messages: the index of what was said, and the answers about it. */
import { MeshError } from "#protocol/errors.ts";
import type { Message } from "#protocol/features/message.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Feature } from "../feature.ts";
import { resolveAddress, resolveSession } from "../messages/address.ts";
import { conversation, type Found, search } from "../messages/conversation.ts";
import { drop, endHolding, release } from "../messages/holding.ts";
import {
  FOR_ME,
  findMessage,
  HELD,
  MESSAGES,
  markAsRead,
  messageById,
  namesOf,
  toMessage,
} from "../messages/inbox.ts";
import { insertOwed } from "../messages/owing.ts";
import { sendMessage } from "../messages/sending.ts";
import { WORDS_TABLE } from "../messages/words.ts";
import type { Caller, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { freshNotices, markNoticesAsRead, newestNotices } from "./notice.ts";
import { receiptsOf } from "./receipt.ts";

export const message: Feature = {
  name: "message",
  tables: `
    CREATE TABLE messages (
      position INTEGER PRIMARY KEY, sender TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER, at INTEGER, label TEXT NOT NULL,
      to_text TEXT NOT NULL, to_session TEXT, session TEXT, topic TEXT, text TEXT NOT NULL, reply_to TEXT,
      thread TEXT, mentioned INTEGER NOT NULL, incoming INTEGER NOT NULL, priority TEXT NOT NULL, sent_at INTEGER NOT NULL,
      hops INTEGER,
      UNIQUE (sender, id)
    ) STRICT;
    CREATE INDEX messages_by_id ON messages (id);
    CREATE INDEX messages_incoming ON messages (id) WHERE incoming = 1;
    CREATE INDEX messages_for_any_session ON messages (seq) WHERE incoming = 1 AND to_session IS NULL;
    CREATE INDEX messages_by_topic ON messages (topic, id) WHERE topic IS NOT NULL;
    CREATE INDEX messages_by_label ON messages (label, sender, id);
    CREATE INDEX messages_by_answered ON messages (reply_to) WHERE reply_to IS NOT NULL;
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
             thread, mentioned, incoming, priority, sent_at, hops)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
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
          event.hops ?? null,
        );
      if (added.changes === 0) {
        db.sql("UPDATE messages SET seq = ?, at = ? WHERE sender = ? AND id = ? AND seq IS NULL").run(
          seq,
          at,
          from,
          id,
        );
      }
      if (label === me && seq !== null) {
        insertOwed(db, { sender: from, id, state: "delivered", at: at ?? 0 });
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

    inbox({ workspace: selector, unread, held, markRead, limit = 1000 }, caller) {
      const messages = peer.readable(selector).flatMap((opened) =>
        opened.workspace.replica.db
          .sql(
            `${MESSAGES} WHERE ${FOR_ME} AND (?3 = 0 OR m.id NOT IN (SELECT id FROM reads))
               AND (?4 = 0 OR (${HELD}) IS NOT NULL) ORDER BY m.id DESC LIMIT ?5`,
          )
          .all(namesOf(caller), opened.workspace.me, unread ? 1 : 0, held ? 1 : 0, limit)
          .map((row) => toMessage(opened, row)),
      );
      messages.sort((a, b) => (a.id < b.id ? -1 : 1));
      const shown = messages.slice(-limit);
      const among = peer.readable(selector);
      const notices = held ? [] : newestNotices(among, { unread: unread === true, limit });
      if (markRead) {
        markAsRead(peer, shown);
        markNoticesAsRead(among, notices);
      }
      return { messages: shown, notices };
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
        if (!among.includes(opened.workspace)) return;
        for (const notice of freshNotices(opened, happening)) emit({ notice });
        if (happening.type !== "applied" || !happening.isNew) return;
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

    show({ workspace: selector, id: part }) {
      const { opened, id } = findMessage(peer.readable(selector), part, "any");
      const row = opened.workspace.replica.db.sql(`${MESSAGES} WHERE m.id = ?`).get(id);
      if (!row) throw new Error("what is found is there");
      return toMessage(opened, row);
    },
    release: (which) => ({ released: endHolding(peer, which, release) }),

    drop: (which) => ({ dropped: endHolding(peer, which, drop) }),

    status({ workspace: selector, id: part }) {
      const { opened, id } = findMessage(peer.readable(selector), part, "sender = me");
      return { id, ...receiptsOf(opened.workspace, id) };
    },
  };
}

function shown(found: readonly Found[]): Message[] {
  return found.map(({ opened, row }) => toMessage(opened, row));
}
