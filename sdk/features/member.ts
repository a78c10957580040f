/** Members' names, and `peers`. */

import { activeMember, currentEpoch } from "#protocol/chain/state.ts";
import type { PeerListing, SessionFace } from "#protocol/features/member.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import { memberNames } from "../names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import { liveSessions } from "./session.ts";

export const member: Feature = {
  name: "member",
  tables: `
    CREATE TABLE member_names (id TEXT PRIMARY KEY, member TEXT NOT NULL, name TEXT NOT NULL, seq INTEGER) STRICT;
    CREATE INDEX member_names_by_member ON member_names (member);
  `,
  apply: {
    "member.profile"({ db }, { name }, { id, from, seq }) {
      db.sql(
        "INSERT INTO member_names (id, member, name, seq) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq",
      ).run(id, from, name, seq);
    },
  },
};

/** Tells my name where it isn't told yet. */
export function introduceMyself(peer: Peer) {
  return ({ workspace }: Opened, happening: Happening): void => {
    if (happening.type !== "key" && !(happening.type === "link" && happening.state === "online")) return;
    const chain = workspace.chain();
    const epoch = chain && currentEpoch(chain);
    if (!epoch || !activeMember(chain, workspace.me) || !workspace.keyring.workspaceKey(epoch.number)) return;
    const told = workspace.replica.db
      .sql("SELECT name FROM member_names WHERE member = ? ORDER BY coalesce(seq, 9e15) DESC LIMIT 1")
      .get(workspace.me);
    const { name } = peer.account;
    if (told?.name !== name) workspace.say(EVERYONE, { kind: "member.profile", name });
  };
}

export function peerHandlers(peer: Peer): Handlers<Caller>["peer"] {
  return {
    async list({ workspace: selector }) {
      const opened = peer.readable(selector);
      await Promise.all(opened.map(({ workspace }) => workspace.presence.refresh()));
      return { peers: opened.flatMap((one) => peersOf(peer, one)) };
    },
  };
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
      sessions: sessions.map((session) => peerSession(peer, name, session)),
    };
  });
}

function peerSession(peer: Peer, member: string, session: SessionFace): PeerListing["sessions"][number] {
  const { id, name, type, status, summary, cwd, host } = session;
  const address = `${member}/${name}`;
  const sameHost = host === peer.host;
  return {
    id,
    address,
    type,
    status,
    summary,
    cwd,
    host,
    sameHost,
    repo: null,
    branch: null,
    model: null,
    stats: null,
  };
}
