/** Sessions' addresses: who holds which name on which device, and which of them are there now. */
import type { SessionFace } from "#protocol/features/member.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { SqlRow } from "#protocol/ports.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import type { Opened, Peer } from "../peer.ts";
import { claimCell, liveMark, statusOf } from "../presence/self.ts";
import type { Workspace } from "../workspace.ts";

/** A name that moved on may have moved more than once. */
const LONGEST_FORWARD = 5;
const MARK_LENGTH = 5;

export const session: Feature = {
  name: "session",
  tables: `
    CREATE TABLE session_claims (
      member TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, dev TEXT NOT NULL,
      session TEXT NOT NULL, forwards TEXT, PRIMARY KEY (member, name)
    ) STRICT;
    CREATE INDEX session_claims_by_key ON session_claims (member, substr(key, 1, 4));
  `,
  apply: {
    "session.claim"({ db }, { name, dev, session: face, forwards }, { from, put }) {
      if (!put?.own) return;
      db.sql(
        `INSERT INTO session_claims (member, name, version, key, dev, session, forwards) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET version = excluded.version, key = excluded.key, dev = excluded.dev,
           session = excluded.session, forwards = excluded.forwards WHERE excluded.version >= version`,
      ).run(from, name, put.version, put.key, dev, JSON.stringify(face), forwards);
    },
  },
};

/** Claims the names of this device's sessions wherever that isn't known yet. */
export function claimNames(peer: Peer) {
  /** What was put by this process, so that a put under way isn't made twice. */
  const claimed = new Map<string, string>();

  return ({ workspace }: Opened, happening: Happening): void => {
    const isUp = happening.type === "link" && happening.state === "online";
    if (!isUp && happening.type !== "sessions" && happening.type !== "key") return;
    if (!workspace.isMember() || !workspace.keyring.cellKey(EVERYONE, "")) return;
    for (const { name, status: _, stats: __, ...face } of [...peer.sessions(), ...peer.forwardedSessions()]) {
      const { forwards = null, ...rest } = { forwards: null, ...face };
      const event = {
        kind: "session.claim" as const,
        name,
        dev: peer.account.device.id,
        session: rest,
        forwards,
      };
      const wanted = JSON.stringify(event);
      const place = `${workspace.id}/${name}`;
      if (claimed.get(place) === wanted || claimOf(workspace, workspace.me, name)?.text === wanted) continue;
      claimed.set(place, wanted);
      workspace.putOwn(EVERYONE, claimCell(name), event);
    }
  };
}

type Claim = {
  name: string;
  dev: string;
  key: string;
  face: Omit<SessionFace, "status" | "stats">;
  forwards: string | null;
  text: string;
};

function claimOf(workspace: Workspace, member: string, name: string): Claim | null {
  const row = workspace.replica.db
    .sql("SELECT * FROM session_claims WHERE member = ? AND name = ?")
    .get(member, name);
  return row ? toClaim(row) : null;
}

function toClaim(row: SqlRow): Claim {
  const name = String(row.name);
  const dev = String(row.dev);
  const forwards = row.forwards === null ? null : String(row.forwards);
  // Written by `apply` from a checked event.
  const face = JSON.parse(String(row.session)) as Omit<SessionFace, "name" | "status" | "stats">;
  const text = JSON.stringify({ kind: "session.claim", name, dev, session: face, forwards });
  return { name, dev, key: String(row.key), face: { ...face, name }, forwards, text };
}

/** A colleague's sessions that are there now, as their devices' faces say. */
export function liveSessions(workspace: Workspace, member: string): SessionFace[] {
  return workspace.presence.present().flatMap(({ member: whose, dev, face }) => {
    if (whose !== member) return [];
    const marks = face.sessions.match(new RegExp(`.{${MARK_LENGTH}}`, "g")) ?? [];
    return marks.flatMap((mark) => {
      const rows = workspace.replica.db
        .sql("SELECT * FROM session_claims WHERE member = ? AND substr(key, 1, 4) = ? AND dev = ?")
        .all(member, mark.slice(0, MARK_LENGTH - 1), dev);
      const status = statusOf(mark);
      return rows
        .map(toClaim)
        .filter(({ key }) => liveMark(key, status) === mark)
        .map(({ face: one }) => ({ ...one, status, stats: null }));
    });
  });
}

/** Names that hold now and those that held before: a message waits while nobody holds the name. */
export function sessionNames(workspace: Workspace, member: string): Set<string> {
  const rows = workspace.replica.db
    .sql("SELECT name FROM session_claims WHERE member = ? ORDER BY name")
    .all(member);
  return new Set(rows.map((row) => String(row.name)));
}

/** The name by which that session goes now. */
export function forwardedName(workspace: Workspace, member: string, name: string): string {
  let current = name;
  for (let i = 0; i < LONGEST_FORWARD; i++) {
    const next = claimOf(workspace, member, current)?.forwards;
    if (!next) break;
    current = next;
  }
  return current;
}

/** The device that a session's name was last held on; null where nobody has said so. */
export function holderOf(workspace: Workspace, member: string, name: string): string | null {
  return claimOf(workspace, member, name)?.dev ?? null;
}

/** Whose session has that id, and its name: of the client's own ids. */
export function sessionById(workspace: Workspace, id: string): { member: string; name: string } | null {
  const row = workspace.replica.db
    .sql("SELECT member, name FROM session_claims WHERE session ->> 'id' = ? AND forwards IS NULL LIMIT 1")
    .get(id);
  return row ? { member: String(row.member), name: String(row.name) } : null;
}

/** Names that sessions on the person's other machines go by just now. */
export function namesElsewhere(peer: Peer): Set<string> {
  const all = peer.opened().flatMap(({ workspace }) => liveSessions(workspace, workspace.me));
  return new Set(all.map(({ name }) => name));
}
