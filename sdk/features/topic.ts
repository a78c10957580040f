/** Topics: who made which, which of them I follow, what was said there. */
import { activeMember } from "#protocol/chain/state.ts";
import { legalName } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Topic } from "#protocol/features/topic.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Feature } from "../feature.ts";
import { MESSAGES, markAsRead, messageById, toMessage } from "../messages/inbox.ts";
import { memberNames, topicLabel, topicNames, waitingForKey } from "../messages/names.ts";
import { createReadMarkers } from "../messages/read-markers.ts";
import { sendMessage } from "../messages/sending.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

export const topic: Feature = {
  name: "topic",
  tables: `
    CREATE TABLE topics (
      name TEXT NOT NULL, creator TEXT NOT NULL, seq INTEGER, PRIMARY KEY (name, creator)
    ) STRICT;
    CREATE TABLE topic_members (
      name TEXT NOT NULL, member TEXT NOT NULL, version INTEGER NOT NULL, gone INTEGER NOT NULL,
      PRIMARY KEY (name, member)
    ) STRICT;
    CREATE TABLE topic_reads (
      label TEXT NOT NULL, member TEXT NOT NULL, version INTEGER NOT NULL, up_to TEXT NOT NULL,
      PRIMARY KEY (label, member)
    ) STRICT;
  `,
  apply: {
    "topic.create"({ db }, { name }, { from, seq, put }) {
      if (!put?.own) return;
      db.sql(
        "INSERT INTO topics (name, creator, seq) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq",
      ).run(name, from, seq);
    },
    "topic.membership"({ db }, { name }, { from, put }) {
      if (!put?.own) return;
      db.sql(
        `INSERT INTO topic_members (name, member, version, gone) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET version = excluded.version, gone = excluded.gone WHERE excluded.version >= version`,
      ).run(name, from, put.version, Number(put.tombstone));
    },
    "topic.read"({ db }, { upTo }, { from, label, put }) {
      if (!put?.own) return;
      db.sql(
        `INSERT INTO topic_reads (label, member, version, up_to) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET version = excluded.version, up_to = excluded.up_to WHERE excluded.version >= version`,
      ).run(label, from, put.version, upTo);
    },
  },
};

export function topicHandlers(peer: Peer): Handlers<Caller>["topic"] {
  const markers = createReadMarkers(peer.ports.timers);

  /** The workspace where the topic is, and its name without the #. */
  const find = (selector: string | undefined, text: string) => {
    const name = bareName(text);
    const opened = peer.writable(selector, (workspace) => topicLabel(workspace, name));
    return { opened, workspace: opened.workspace, name, label: topicLabel(opened.workspace, name) };
  };

  const join = async ({ workspace }: Opened, name: string, label: string) => {
    if (workspace.follows(label)) return;
    await workspace.follow(label, name);
    sayMembership(workspace, name, true);
  };

  return {
    async create({ workspace: selector, topic: text }) {
      const name = bareName(text);
      const opened = peer.writable(selector);
      const { workspace } = opened;
      if (legalName(name) !== name) {
        throw new MeshError(
          "bad_data",
          `"${name}" is not a topic's name.`,
          `Use a-z, 0-9, dot, dash: ${legalName(name) || "deploys"}.`,
        );
      }
      const label = workspace.keyring.labelId("topic", name);
      if (!label) throw waitingForKey();
      if (topicNames(workspace).includes(name)) {
        throw new MeshError(
          "conflict",
          `The topic #${name} is there already.`,
          `Join it: claudemesh topic join ${name}`,
        );
      }
      workspace.putOwn(EVERYONE, `topic:${name}`, { kind: "topic.create", name });
      await join(opened, name, label);
      return describe(opened, name);
    },
    list: ({ workspace: selector }) => ({
      topics: peer
        .readable(selector)
        .flatMap((opened) => topicNames(opened.workspace).map((name) => describe(opened, name))),
    }),
    async join({ workspace: selector, topic: text }) {
      const { opened, name, label } = find(selector, text);
      await join(opened, name, label);
      return describe(opened, name);
    },
    async leave({ workspace: selector, topic: text }) {
      const { opened, workspace, name, label } = find(selector, text);
      if (workspace.follows(label)) {
        workspace.unfollow(label);
        sayMembership(workspace, name, false);
      }
      return describe(opened, name);
    },
    mute({ workspace: selector, topic: text, muted }) {
      const { opened, workspace, name, label } = find(selector, text);
      workspace.replica.setMeta(mutedKey(label), muted ? "1" : "");
      return describe(opened, name);
    },
    members({ workspace: selector, topic: text }) {
      const { workspace, name, label } = find(selector, text);
      return { members: followersOf(workspace, name, label) };
    },
    async send({ workspace: selector, topic: text, ...options }, caller) {
      const { opened, name, label } = find(selector, text);
      // Who speaks in a topic hears the answers.
      await join(opened, name, label);
      return sendMessage(
        peer,
        opened,
        { label, to: `#${name}`, toSession: null, topic: name, group: null },
        options,
        caller,
      );
    },
    async history({ workspace: selector, topic: text, limit = 100, markRead }) {
      const { opened, workspace, name, label } = find(selector, text);
      await workspace.history.fill(label, name, limit);
      const messages = workspace.replica.db
        .sql(
          `${MESSAGES} WHERE m.topic = ? AND m.label = ? ORDER BY coalesce(m.seq, 9e15) DESC, m.id DESC LIMIT ?`,
        )
        .all(name, label, limit)
        .map((row) => toMessage(opened, row))
        .reverse();
      if (markRead) {
        markAsRead(peer, messages);
        markers.read(workspace, label, messages.at(-1)?.id);
      }
      return { messages };
    },
    async tail({ workspace: selector, topic: text }, caller, emit) {
      const { opened, workspace, name, label } = find(selector, text);
      await join(opened, name, label);
      const stop = peer.listen((where, happening) => {
        if (where.workspace !== workspace || happening.type !== "applied" || !happening.isNew) return;
        const { event, record } = happening;
        const said =
          event.kind === "message" && record.label === label
            ? messageById(opened, record.from, record.id)
            : null;
        if (said) emit(said);
      });
      caller.ended(stop);
      return {};
    },
  };
}

function describe({ slug, workspace }: Opened, name: string): Topic {
  const { db } = workspace.replica;
  const label = workspace.keyring.labelId("topic", name) ?? "";
  const creator = db
    .sql("SELECT creator FROM topics WHERE name = ? ORDER BY coalesce(seq, 9e15) LIMIT 1")
    .get(name);
  const counts = db
    .sql(
      `SELECT count(*) AS unread, coalesce(sum(mentioned), 0) AS mentions FROM messages
       WHERE topic = ?1 AND label = ?2 AND sender <> ?3 AND id NOT IN (SELECT id FROM reads)
         AND id > coalesce((SELECT up_to FROM topic_reads WHERE label = ?2 AND member = ?3), '')`,
    )
    .get(name, label, workspace.me);
  const last = db
    .sql("SELECT max(sent_at) AS at FROM messages WHERE topic = ? AND label = ?")
    .get(name, label);
  const joined = workspace.follows(label);
  const muted = workspace.replica.meta(mutedKey(label)) === "1";
  return {
    name,
    workspace: slug,
    joined,
    muted,
    unread: joined ? Number((muted ? counts?.mentions : counts?.unread) ?? 0) : 0,
    mentions: joined ? Number(counts?.mentions ?? 0) : 0,
    createdBy: memberNames(workspace).get(String(creator?.creator)) ?? "",
    lastMessageAt: last?.at ? new Date(Number(last.at)).toISOString() : null,
  };
}

/** In chain order; who isn't a member any more doesn't follow it. */
function followersOf(workspace: Workspace, name: string, label: string) {
  const names = memberNames(workspace);
  const present = new Set(workspace.presence.present().map(({ member }) => member));
  const rows = workspace.replica.db
    .sql(
      `SELECT m.member, r.up_to FROM topic_members m
       LEFT JOIN topic_reads r ON r.member = m.member AND r.label = ? WHERE m.name = ? AND m.gone = 0`,
    )
    .all(label, name);
  const chain = workspace.chain();
  const order = [...names.keys()];
  return rows
    .map((row) => ({ member: String(row.member), readUpTo: row.up_to ? String(row.up_to) : null }))
    .filter(({ member }) => chain && activeMember(chain, member))
    .toSorted((a, b) => order.indexOf(a.member) - order.indexOf(b.member))
    .map(({ member, readUpTo }) => {
      const you = member === workspace.me;
      const online = you || present.has(member);
      return { member, name: names.get(member) ?? member, you, online, readUpTo };
    });
}

function sayMembership(workspace: Workspace, name: string, joined: boolean): void {
  workspace.putOwn(EVERYONE, `in:${name}`, { kind: "topic.membership", name }, !joined);
}

function mutedKey(label: string): string {
  return `muted:${label}`;
}

function bareName(text: string): string {
  return text.replace(/^#/, "");
}
