/** Topics: who made which, which of them I follow or am in, what was said there. */
import { activeMember } from "#protocol/chain/state.ts";
import { legalName } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Topic } from "#protocol/features/topic.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Feature } from "../feature.ts";
import { resolveAddress } from "../messages/address.ts";
import { MESSAGES, markAsRead, messageById, toMessage } from "../messages/inbox.ts";
import {
  findTopic,
  memberNames,
  privateTopics,
  requireFullMember,
  type TopicPlace,
  topicNames,
  waitingForKey,
} from "../messages/names.ts";
import { createReadMarkers } from "../messages/read-markers.ts";
import { sendMessage } from "../messages/sending.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

const CHANGE_LIMIT_MS = 10_000;

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

  /** The workspace where the topic is, what it is called there, and in messages. */
  const find = (selector: string | undefined, text: string) => {
    const shown = bareName(text);
    const opened = peer.writable(selector, (workspace) => findTopic(workspace, shown));
    return { opened, workspace: opened.workspace, shown, ...findTopic(opened.workspace, shown) };
  };

  /** Who is in a private one follows it. */
  const join = async ({ workspace }: Opened, { name, label, isPrivate }: TopicPlace) => {
    if (isPrivate || workspace.follows(label)) return;
    await workspace.follow(label, name);
    sayMembership(workspace, name, true);
  };

  /** Of a private topic. @throws MeshError refused */
  const findPrivate = (selector: string | undefined, text: string, members: readonly string[]) => {
    const found = find(selector, text);
    if (!found.isPrivate) {
      throw new MeshError(
        "refused",
        `Everyone can join #${found.shown}.`,
        "Only private topics have members.",
      );
    }
    return { ...found, named: membersNamed(peer, found.workspace, members) };
  };

  return {
    async create({ workspace: selector, topic: text, private: isPrivate = false, members = [] }) {
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
      if (!isPrivate) requireFullMember(workspace);
      if (!isPrivate && members.length > 0)
        throw new MeshError("usage", "Only a private topic is made with members.", "Add --private.");
      if (topicNames(workspace).includes(name)) {
        throw new MeshError(
          "conflict",
          `The topic #${name} is there already.`,
          `Join it: claudemesh topic join ${name}`,
        );
      }
      if (isPrivate) {
        requireBroker(workspace);
        const all = new Map([
          ...membersNamed(peer, workspace, ["me"]),
          ...membersNamed(peer, workspace, members),
        ]);
        for (const id of all.keys()) workspace.trust.requireKnown(id);
        await workspace.topics.create(name, all, CHANGE_LIMIT_MS);
        return describe(opened, name);
      }
      const label = workspace.keyring.labelId("topic", name);
      if (!label) throw waitingForKey();
      workspace.putOwn(EVERYONE, `topic:${name}`, { kind: "topic.create", name });
      await join(opened, { name, label, isPrivate });
      return describe(opened, name);
    },
    info({ workspace: selector, topic: text }) {
      const { opened, shown } = find(selector, text);
      return describe(opened, shown);
    },
    async add({ workspace: selector, topic: text, members }) {
      const { opened, workspace, shown, label, named } = findPrivate(selector, text, members);
      for (const id of named.keys()) workspace.trust.requireKnown(id);
      const isNew = (known: ReadonlyMap<string, string>) => [...named.keys()].some((id) => !known.has(id));
      const draft = (known: ReadonlyMap<string, string>) =>
        isNew(known) ? new Map([...known, ...named, ...known]) : null;
      await workspace.topics.change(label, draft, CHANGE_LIMIT_MS);
      return describe(opened, shown);
    },
    async remove({ workspace: selector, topic: text, members }) {
      const { opened, workspace, shown, label, named } = findPrivate(selector, text, members);
      const place = describe(opened, shown);
      await workspace.topics.change(label, without(named), CHANGE_LIMIT_MS);
      return named.has(workspace.me) ? { ...place, joined: false } : describe(opened, shown);
    },
    list: ({ workspace: selector }) => ({
      topics: peer
        .readable(selector)
        .flatMap((opened) => topicNames(opened.workspace).map((name) => describe(opened, name))),
    }),
    async join({ workspace: selector, topic: text }) {
      const found = find(selector, text);
      await join(found.opened, found);
      return describe(found.opened, found.shown);
    },
    async leave({ workspace: selector, topic: text }) {
      const { opened, workspace, name, label, shown, isPrivate } = find(selector, text);
      if (isPrivate) {
        const place = describe(opened, shown);
        await workspace.topics.change(label, without(new Set([workspace.me])), CHANGE_LIMIT_MS);
        return { ...place, joined: false };
      }
      if (workspace.follows(label)) {
        workspace.unfollow(label);
        sayMembership(workspace, name, false);
      }
      return describe(opened, name);
    },
    mute({ workspace: selector, topic: text, muted }) {
      const { opened, workspace, shown, label } = find(selector, text);
      workspace.replica.setMeta(mutedKey(label), muted ? "1" : "");
      return describe(opened, shown);
    },
    members({ workspace: selector, topic: text }) {
      const { workspace, ...place } = find(selector, text);
      return { members: membersOf(workspace, place) };
    },
    async send({ workspace: selector, topic: text, ...options }, caller) {
      const found = find(selector, text);
      const { opened, name, label } = found;
      // Who speaks in a topic hears the answers.
      await join(opened, found);
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
      const found = find(selector, text);
      const { opened, workspace, label } = found;
      await join(opened, found);
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

function without(gone: { has(member: string): boolean }) {
  return (members: ReadonlyMap<string, string>) => {
    const staying = [...members].filter(([id]) => !gone.has(id));
    return staying.length < members.size ? new Map(staying) : null;
  };
}

/** Member id → name. @throws MeshError unknown_address with the nearest names */
function membersNamed(peer: Peer, workspace: Workspace, texts: readonly string[]): Map<string, string> {
  const names = memberNames(workspace);
  return new Map(
    texts.map((text) => {
      const { label, topic, toSession, group } = resolveAddress(peer, workspace, text);
      if (topic === null && toSession === null && group === null && label !== EVERYONE)
        return [
          label,
          label === workspace.me ? (names.get(label) ?? peer.account.name) : (names.get(label) ?? ""),
        ];
      throw new MeshError("unknown_address", `"${text}" is nobody's name.`, "See `claudemesh peers`.");
    }),
  );
}

function requireBroker({ broker }: Workspace): void {
  if (broker) return;
  throw new MeshError(
    "offline",
    "A private topic needs others, and a broker.",
    "See `claudemesh invite create`.",
  );
}

function describe({ slug, workspace }: Opened, shown: string): Topic {
  const { db } = workspace.replica;
  const hidden = privateTopics(workspace).get(shown);
  const name = hidden?.name ?? shown;
  const label = hidden?.label ?? workspace.keyring.labelId("topic", name) ?? "";
  const names = memberNames(workspace);
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
  const joined = hidden !== undefined || workspace.follows(label);
  const muted = isMuted(workspace, label);
  return {
    name: shown,
    workspace: slug,
    joined,
    muted,
    unread: joined ? Number((muted ? counts?.mentions : counts?.unread) ?? 0) : 0,
    mentions: joined ? Number(counts?.mentions ?? 0) : 0,
    createdBy: names.get(hidden?.founder ?? String(creator?.creator)) ?? "",
    private: hidden !== undefined,
    members: hidden ? [...hidden.members].map(([id, called]) => names.get(id) ?? called) : null,
    lastMessageAt: last?.at ? new Date(Number(last.at)).toISOString() : null,
  };
}

/** In chain order; who isn't a member any more doesn't follow it. */
function membersOf(workspace: Workspace, { name, label, isPrivate }: TopicPlace) {
  const names = memberNames(workspace);
  const present = new Set(workspace.presence.present().map(({ member }) => member));
  const { db } = workspace.replica;
  const roster = isPrivate ? workspace.topics.rosters().find((one) => one.label === label) : undefined;
  const followers = roster
    ? [...roster.members.keys()]
    : db
        .sql("SELECT member FROM topic_members WHERE name = ? AND gone = 0")
        .all(name)
        .map((row) => String(row.member));
  const chain = workspace.chain();
  const order = [...names.keys()];
  return followers
    .filter((member) => chain && activeMember(chain, member))
    .toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
    .map((member) => {
      const you = member === workspace.me;
      const online = you || present.has(member);
      const read = db.sql("SELECT up_to FROM topic_reads WHERE label = ? AND member = ?").get(label, member);
      const readUpTo = read ? String(read.up_to) : null;
      return { member, name: names.get(member) ?? member, you, online, readUpTo };
    });
}

function sayMembership(workspace: Workspace, name: string, joined: boolean): void {
  workspace.putOwn(EVERYONE, `in:${name}`, { kind: "topic.membership", name }, !joined);
}

export function isMuted({ replica }: Workspace, label: string): boolean {
  return replica.meta(mutedKey(label)) === "1";
}

function mutedKey(label: string): string {
  return `muted:${label}`;
}

function bareName(text: string): string {
  return text.replace(/^#/, "");
}
