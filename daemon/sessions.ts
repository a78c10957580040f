/** The sessions attached to this daemon: a durable name from the folder, one live holder for each, and what it shows. */
import { legalName } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { type SessionFace, type SessionStatus, sessionStatus } from "#protocol/features/member.ts";
import { namesElsewhere } from "#sdk/features/session.ts";
import type { Caller, Peer } from "#sdk/peer.ts";

/** What its person says of it, and what is seen of it. */
type Shown = Pick<SessionFace, "name" | "summary" | "status">;
type Seen = Partial<Pick<SessionFace, "id" | "repo" | "branch" | "model" | "stats">> & {
  /** What its client is doing; null where that can't be told. */
  doing?: SessionStatus | null;
  deaf?: boolean;
  /** It asks its person for no permission. */
  bypasses?: boolean;
};

export type AttachedSession = SessionFace & {
  since: number;
  /** What its person said last; `status` is what comes of it. */
  chosen: SessionStatus;
  doing: SessionStatus | null;
  deaf: boolean;
  bypasses: boolean;
};

export type Attaching = Pick<SessionFace, "id" | "host" | "type"> & { cwd: string };

export type Sessions = {
  attach(session: Attaching): AttachedSession;
  detach(session: AttachedSession): void;
  list(): readonly AttachedSession[];
  /** By the client's session id, or by name. */
  find(id: string): AttachedSession | null;
  /** The same, as whoever answers a request sees it. */
  caller(id: string): Caller["session"];
  /** Shows another face from now on. @throws MeshError bad_data, conflict for a name that can't be had */
  change(session: AttachedSession, face: Partial<Shown>): void;
  /** What is seen of it has changed. Kept nowhere, but for another id. */
  see(session: AttachedSession, seen: Seen): void;
  /** Its person typed something there at that time, in ms. */
  typed(session: AttachedSession, at: number): void;
  /** Called after each change of one. */
  listen(listener: (session: AttachedSession) => void): void;
};

export function createSessions(peer: Peer): Sessions {
  let attached: readonly AttachedSession[] = [];
  const listeners = new Set<(session: AttachedSession) => void>();

  /** Last active first: that one gets what is for no session in particular. */
  const become = (next: readonly AttachedSession[]) => {
    attached = next;
    peer.setSessions(next.map(faceOf));
  };

  const isActive = (session: AttachedSession) => {
    if (attached[0] !== session) become([session, ...attached.filter((one) => one !== session)]);
    peer.sessionActive();
  };

  /** The name this session had, else one it had for the folder that nobody holds now, else the next free one. */
  const nameFor = (id: string, cwd: string): string => {
    const held = new Set([...attached.map(({ name }) => name), ...namesElsewhere(peer)]);
    const rows = peer.database
      .sql(
        `SELECT name FROM sessions WHERE forwards IS NULL AND (id = ?1 OR cwd = ?2)
         ORDER BY id = ?1 DESC, seen_at DESC`,
      )
      .all(id, cwd);
    const known = rows.map((row) => String(row.name)).find((name) => !held.has(name));
    if (known) return known;
    const taken = new Set([...held, ...peer.knownSessionNames()]);
    const base = legalName(cwd.split(/[/\\]/).findLast((part) => part !== "") ?? "") || "session";
    for (let i = 1; ; i++) {
      const name = i === 1 ? base : `${base}-${i}`;
      if (!taken.has(name)) return name;
    }
  };

  const find = (id: string) => attached.find((session) => session.id === id || session.name === id) ?? null;

  /** @throws MeshError bad_data, conflict */
  const requireFree = (session: AttachedSession, name: string) => {
    if (legalName(name) !== name)
      throw new MeshError(
        "bad_data",
        `"${name}" is no name for a session.`,
        `Use a-z, 0-9, dot, dash: ${legalName(name) || "payments"}.`,
      );
    const holder = peer.database.sql("SELECT id FROM sessions WHERE name = ?").get(name);
    if (holder && holder.id !== session.id)
      throw new MeshError(
        "conflict",
        `Another session of yours has the name "${name}".`,
        "Take another; see `claudemesh session list`.",
      );
  };

  return {
    attach({ id, cwd, host, type }) {
      // The same session again replaces its former self: its adapter has come back.
      attached = attached.filter((session) => session.id !== id);
      const name = nameFor(id, cwd);
      const since = Math.floor(peer.now());
      const before = peer.database
        .sql("SELECT status, summary FROM sessions WHERE name = ? AND id = ?")
        .get(name, id);
      peer.database
        .sql(
          `INSERT INTO sessions (name, id, cwd, seen_at) VALUES (?1, ?2, ?3, ?4)
           ON CONFLICT DO UPDATE SET id = ?2, cwd = ?3, seen_at = ?4, status = ?5, summary = ?6, forwards = NULL`,
        )
        .run(name, id, cwd, since, before?.status ?? null, before?.summary ?? null);
      const chosen = sessionStatus.catch("idle").parse(before?.status);
      const session: AttachedSession = {
        id,
        name,
        type,
        status: chosen,
        summary: before?.summary ? String(before.summary) : null,
        cwd: cwd.slice(-300),
        host,
        repo: null,
        branch: null,
        model: null,
        stats: null,
        since,
        chosen,
        doing: null,
        deaf: false,
        bypasses: false,
      };
      become([session, ...attached]);
      peer.sessionActive();
      return session;
    },
    detach(session) {
      become(attached.filter((one) => one !== session));
    },
    list: () => attached.toSorted((a, b) => a.since - b.since),
    find,
    caller(id) {
      const session = find(id);
      if (!session) return null;
      isActive(session);
      const rows = peer.database.sql("SELECT name FROM sessions WHERE id = ?").all(session.id);
      return { id: session.id, name: session.name, names: rows.map((row) => String(row.name)) };
    },
    change(session, { status, ...face }) {
      if (face.name !== undefined) requireFree(session, face.name);
      const before = session.name;
      Object.assign(session, face);
      session.chosen = status ?? session.chosen;
      session.status = statusOf(session);
      // An old name stays, and forwards what is sent to it, until another session takes it.
      peer.database.transaction(() => {
        peer.database
          .sql(
            `INSERT INTO sessions (name, id, cwd, seen_at, status, summary)
             SELECT ?1, id, cwd, ?2, ?3, ?4 FROM sessions WHERE name = ?5
             ON CONFLICT DO UPDATE SET seen_at = ?2, status = ?3, summary = ?4, forwards = NULL`,
          )
          .run(session.name, Math.floor(peer.now()), session.chosen, session.summary, before);
        if (before === session.name) return;
        peer.database.sql("UPDATE sessions SET forwards = ? WHERE name = ?").run(session.name, before);
      });
      become([...attached]);
      for (const listener of listeners) listener(session);
    },
    see(session, seen) {
      if (!attached.includes(session)) return;
      const { id } = session;
      const before = JSON.stringify(session);
      Object.assign(session, seen);
      session.status = statusOf(session);
      if (JSON.stringify(session) === before) return;
      // After /clear the session goes by another id, and keeps its names.
      if (session.id !== id) peer.database.sql("UPDATE sessions SET id = ? WHERE id = ?").run(session.id, id);
      become([...attached]);
      for (const listener of listeners) listener(session);
    },
    typed({ id }, at) {
      const when = Math.min(Math.floor(at), Math.floor(peer.now()));
      peer.database.sql("UPDATE sessions SET typed_at = max(typed_at, ?) WHERE id = ?").run(when, id);
    },
    listen: (listener) => void listeners.add(listener),
  };
}

/** What colleagues, and clients of this daemon, see of it. */
export function faceOf({
  since: _,
  chosen: __,
  doing: ___,
  deaf: ____,
  bypasses: _____,
  ...face
}: AttachedSession): SessionFace {
  return face;
}

/** What its person says comes before what its client seems to do, and that nothing reaches it before both. */
function statusOf({ deaf, chosen, doing }: AttachedSession): SessionStatus {
  if (deaf) return "deaf";
  return chosen === "dnd" ? chosen : (doing ?? chosen);
}
