/** The Claude sessions attached to this daemon: a durable name from the folder, one live holder for each. */
import { legalName } from "#protocol/derive.ts";
import type { SessionFace } from "#protocol/features/member.ts";
import type { Peer } from "#sdk/peer.ts";

export type AttachedSession = SessionFace & { since: number };

export type Sessions = {
  attach(session: { id: string; cwd: string; host: string }): AttachedSession;
  detach(session: AttachedSession): void;
  list(): readonly AttachedSession[];
  /** By the client's session id, or by name. */
  find(id: string): AttachedSession | null;
};

export function createSessions(peer: Peer): Sessions {
  let attached: readonly AttachedSession[] = [];

  const become = (next: readonly AttachedSession[]) => {
    attached = next;
    peer.setSessions(next.map(({ since: _, ...face }) => face));
  };

  /** The name this session had, else one it had for the folder that nobody holds now, else the next free one. */
  const nameFor = (id: string, cwd: string): string => {
    const held = new Set(attached.map(({ name }) => name));
    const rows = peer.database
      .sql("SELECT name FROM sessions WHERE id = ?1 OR cwd = ?2 ORDER BY id = ?1 DESC, seen_at DESC")
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

  return {
    attach({ id, cwd, host }) {
      // The same session again replaces its former self: its adapter has come back.
      attached = attached.filter((session) => session.id !== id);
      const name = nameFor(id, cwd);
      const since = Math.floor(peer.now());
      peer.database
        .sql(
          "INSERT INTO sessions (name, id, cwd, seen_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET id = ?2, cwd = ?3, seen_at = ?4",
        )
        .run(name, id, cwd, since);
      const session: AttachedSession = {
        id,
        name,
        type: "claude",
        status: "idle",
        summary: null,
        cwd: cwd.slice(-300),
        host,
        since,
      };
      become([...attached, session]);
      return session;
    },
    detach(session) {
      become(attached.filter((one) => one !== session));
    },
    list: () => attached,
    find: (id) => attached.find((session) => session.id === id || session.name === id) ?? null,
  };
}
