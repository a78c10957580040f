/** Members' names, and `peers`. */

import { fromBase64url } from "#protocol/bytes.ts";
import { activeMember, type ChainState, currentEpoch, holdsKey } from "#protocol/chain/state.ts";
import { type PeerListing, type SessionFace, sessionsAnswer } from "#protocol/features/member.ts";
import { sha256 } from "#protocol/hash.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import { fingerprint } from "../fingerprint.ts";
import { findPeer } from "../messages/address.ts";
import { memberNames } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { liveSessions } from "./session.ts";

const ASK_LIMIT_MS = 2000;
/** More than versions of a roster. */
const TOLD = 2 ** 40;

export const member: Feature = {
  name: "member",
  tables: `
    CREATE TABLE member_names (member TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
  `,
  apply: {
    "member.profile"({ db }, { name }, { from, put }) {
      if (!put?.own) return;
      db.sql(
        `INSERT INTO member_names (member, name, version) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET name = excluded.name, version = excluded.version
         WHERE excluded.version >= version`,
      ).run(from, name, put.version);
    },
    /** What a topic's members say of each other stands behind what somebody says of themselves. */
    "topic.roster"({ db }, { members }, { put }) {
      for (const [member, name] of Object.entries(members)) {
        db.sql(
          `INSERT INTO member_names (member, name, version) VALUES (?, ?, ?)
           ON CONFLICT DO UPDATE SET name = excluded.name, version = excluded.version
           WHERE excluded.version >= version`,
        ).run(member, name, (put?.version ?? 0) - TOLD);
      }
    },
  },
};

/** Tells my name where it isn't told yet. */
export function introduceMyself(peer: Peer) {
  return ({ workspace }: Opened, happening: Happening): void => {
    const isUp = happening.type === "link" && happening.state === "online";
    if (!isUp && happening.type !== "key" && happening.type !== "chain") return;
    const chain = workspace.chain();
    const me = chain && activeMember(chain, workspace.me);
    const epoch = chain && currentEpoch(chain);
    if (!epoch || !me || (holdsKey(me) && !workspace.keyring.workspaceKey(epoch.number))) return;
    const told = workspace.replica.db.sql("SELECT name FROM member_names WHERE member = ?").get(workspace.me);
    const { name } = peer.account;
    if (holdsKey(me)) tellGuests(workspace, chain, name);
    if (told?.name === name) return;
    // A guest can't speak to everyone: who invited it and who owns the workspace can add it to topics by its name.
    const hosts = new Set([workspace.me, me.invitedBy ?? chain.owner, chain.owner]);
    for (const label of holdsKey(me) ? [EVERYONE] : hosts)
      workspace.putOwn(label, "profile", { kind: "member.profile", name });
  };
}

/** Who can't hear what is said to everyone is told by who invited them. */
function tellGuests({ replica, me, putOwn }: Workspace, chain: ChainState, name: string): void {
  for (const { id, role, active, invitedBy } of chain.members.values()) {
    const isMine = active && role === "guest" && invitedBy === me;
    if (!isMine || replica.meta(`told:${id}`) === name) continue;
    replica.setMeta(`told:${id}`, name);
    putOwn(id, "profile", { kind: "member.profile", name });
  }
}

export function peerHandlers(peer: Peer): Pick<Handlers<Caller>["peer"], "list" | "show" | "search"> {
  return {
    async list({ workspace: selector }) {
      return { peers: await listingsOf(peer, selector) };
    },
    async show({ workspace: selector, peer: text }) {
      const { opened, id } = findPeer(peer, selector, text);
      await opened.workspace.presence.refresh();
      const asked = await askedSessions(opened.workspace, id);
      const sessions = asked && (id === opened.workspace.me ? [...peer.sessions(), ...asked] : asked);
      const listing = peersOf(peer, opened).find(({ member }) => member === id);
      const chain = opened.workspace.chain();
      const known = chain?.members.get(id);
      if (!listing || !chain || !known) throw new Error("who is found is a member");
      const names = memberNames(opened.workspace);
      return {
        ...listing,
        ...(sessions ? { sessions: shownSessions(peer, listing.name, sessions) } : {}),
        invitedBy: known.invitedBy && (names.get(known.invitedBy) ?? known.invitedBy),
        rootFingerprint: fingerprint(sha256(known.root)),
        devices: [...chain.devices.values()]
          .filter(
            ({ member, spans }) =>
              member === id && spans.some(({ until }) => until === Number.POSITIVE_INFINITY),
          )
          .map((device) => ({ id: device.id, fingerprint: fingerprint(fromBase64url(device.id)) })),
      };
    },
    async search({ workspace: selector, query }) {
      const words = query.toLowerCase().split(/\s+/);
      const holds = (...texts: readonly (string | null)[]) => {
        const text = texts.join("\n").toLowerCase();
        return words.every((word) => text.includes(word));
      };
      const all = await listingsOf(peer, selector);
      return {
        peers: all.flatMap((listing) => {
          if (holds(listing.name, listing.role)) return [listing];
          const sessions = listing.sessions.filter(({ address, summary, cwd, host }) =>
            holds(address, summary, cwd, host),
          );
          return sessions.length > 0 ? [{ ...listing, sessions }] : [];
        }),
      };
    },
  };
}

async function listingsOf(peer: Peer, selector: string | undefined): Promise<PeerListing[]> {
  const opened = peer.readable(selector);
  await Promise.all(opened.map(({ workspace }) => workspace.presence.refresh()));
  return opened.flatMap((one) => peersOf(peer, one));
}

function peersOf(peer: Peer, { slug, workspace }: Opened): PeerListing[] {
  const names = memberNames(workspace);
  const members = [...(workspace.chain()?.members.values() ?? [])].filter(({ active }) => active);
  return members.map(({ id, role }) => {
    const name = names.get(id) ?? id;
    const you = id === workspace.me;
    const devices = workspace.presence.present().filter((device) => device.member === id);
    const sessions = [...(you ? peer.sessions() : []), ...liveSessions(workspace, id)];
    const lastSeen = workspace.presence.lastSeen(id);
    return {
      member: id,
      name,
      workspace: slug,
      role,
      online: you || devices.length > 0,
      you,
      lastSeen: lastSeen === null ? null : new Date(lastSeen).toISOString(),
      ...workspace.trust.of(id),
      sessions: shownSessions(peer, name, sessions),
    };
  });
}

/** As the member's own devices tell them, all of them; null when one of them doesn't answer. */
async function askedSessions(workspace: Workspace, member: string): Promise<SessionFace[] | null> {
  const devices = workspace.presence.present().filter((device) => device.member === member);
  if (devices.length === 0) return null;
  try {
    const answers = await Promise.all(
      devices.map(({ dev }) => workspace.signals.ask(dev, { kind: "member.sessions" }, ASK_LIMIT_MS)),
    );
    return answers.flatMap((answer) => sessionsAnswer.parse(answer).sessions);
  } catch {
    // What its face shows has to do.
    return null;
  }
}

function shownSessions(peer: Peer, member: string, sessions: readonly SessionFace[]) {
  return sessions
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((session) => peerSession(peer, member, session));
}

function peerSession(peer: Peer, member: string, session: SessionFace): PeerListing["sessions"][number] {
  const { name, ...face } = session;
  return { ...face, address: `${member}/${name}`, sameHost: session.host === peer.host };
}
