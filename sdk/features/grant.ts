/** What each member may do to me: said on one of my machines, kept sealed to myself, and so the same on all of them. */
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { Handlers } from "#protocol/registry.ts";
import { RIGHTS, type Right } from "#protocol/rights.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import {
  blockedAtBroker,
  blockedMembers,
  isBlocked,
  isGranted,
  setBlockedAtBroker,
} from "../membership/grants.ts";
import { findPeer } from "../messages/address.ts";
import { memberNames } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import { createWorker } from "../worker.ts";
import type { Workspace } from "../workspace.ts";
import { findOther } from "./trust.ts";

export const grant: Feature = {
  name: "grant",
  tables: `
    CREATE TABLE grants (
      member TEXT NOT NULL, "right" TEXT NOT NULL, session TEXT NOT NULL, allowed INTEGER NOT NULL,
      version INTEGER NOT NULL, PRIMARY KEY (member, "right", session)
    ) STRICT;
    -- \`since\`: where the value stands that began the block.
    CREATE TABLE blocks (
      member TEXT PRIMARY KEY, blocked INTEGER NOT NULL, version INTEGER NOT NULL, since INTEGER
    ) STRICT;
  `,
  apply: {
    "member.grant"({ db, me }, { member, right, session, allowed }, { from, put }) {
      if (from !== me || !put?.own) return;
      db.sql(
        `INSERT INTO grants (member, "right", session, allowed, version) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET allowed = excluded.allowed, version = excluded.version
         WHERE excluded.version >= version`,
      ).run(member, right, session ?? "", Number(allowed), put.version);
    },
    "member.block"({ db, me }, { member, blocked }, { from, put, seq }) {
      if (from !== me || !put?.own) return;
      db.sql(
        `INSERT INTO blocks (member, blocked, version, since) VALUES (?1, ?2, ?3, iif(?2, ?4, NULL))
         ON CONFLICT DO UPDATE SET blocked = ?2, version = ?3, since = iif(?2, ?4, since) WHERE ?3 >= version`,
      ).run(member, Number(blocked), put.version, seq);
    },
  },
};

/** Whether I let that member do this to me, or to that session of mine. Asked of the own replica: at once, and offline. */
export function mayDo(workspace: Workspace, member: string, right: Right, session?: string): boolean {
  if (member === workspace.me) return true;
  const { db } = workspace.replica;
  return !isBlocked(db, member) && isGranted(db, member, right, session ?? null);
}

/** Has the broker know whom I have blocked, and shows what was kept back of those whom I hear again. */
export function keepBlocks(peer: Peer) {
  const looks = new WeakMap<Opened, () => void>();
  /** Links that have come up, and on which the broker wasn't told yet. */
  const freshLinks = new WeakSet<Opened>();

  /** Once the broker was told, and so keeps nothing back any more, what it did keep is fetched. */
  const tellBroker = async (opened: Opened) => {
    const { workspace } = opened;
    const { replica } = workspace;
    const blocked = blockedMembers(replica.db).slice(0, LIMITS.blocks);
    // Where the block itself stands in the log is where what is kept back begins.
    if (replica.db.sql("SELECT 1 FROM blocks WHERE blocked = 1 AND since IS NULL").get()) return;
    const told = blockedAtBroker(replica);
    // With each link anew: its log may be one of before.
    if (told.join() === blocked.join() && (blocked.length === 0 || !freshLinks.delete(opened))) return;
    await workspace.block(blocked);
    const lifted = told.filter((member) => !blocked.includes(member));
    for (const member of lifted) await workspace.refetch(sinceOf(workspace, member));
    if (lifted.length > 0) await workspace.presence.renew();
    setBlockedAtBroker(replica, blocked);
  };

  const step = async (opened: Opened): Promise<void> => {
    const { workspace } = opened;
    if (workspace.isClosed()) return;
    for (const member of workspace.replica.barred())
      if (mayDo(workspace, member, "message")) await workspace.unbar(member);
    if (workspace.link() === "online" && workspace.isMember()) await tellBroker(opened);
  };

  return (opened: Opened, happening: Happening): void => {
    const isUp = happening.type === "link" && happening.state === "online";
    if (!isUp && !isWord(happening)) return;
    if (isUp) freshLinks.add(opened);
    const failed = (error: unknown) => {
      // With the next link it is tried again.
      peer.ports.log.warn(
        { workspace: opened.workspace.id, error: String(error) },
        "a block is not at the broker",
      );
    };
    const look = looks.get(opened) ?? createWorker(() => step(opened), failed);
    looks.set(opened, look);
    look();
  };
}

function isWord(happening: Happening): boolean {
  if (happening.type !== "applied") return false;
  const { kind } = happening.event;
  return kind === "member.block" || kind === "member.grant";
}

function sinceOf({ replica }: Workspace, member: string): number {
  return Number(replica.db.sql("SELECT since FROM blocks WHERE member = ?").get(member)?.since ?? 0);
}

type GrantHandlers = Pick<Handlers<Caller>["peer"], "grant" | "revoke" | "grants" | "block" | "unblock">;

export function grantHandlers(peer: Peer): GrantHandlers {
  /** @throws MeshError not_found */
  const requireSession = (session: string) => {
    const known = peer.knownSessionNames();
    if (known.includes(session)) return;
    throw new MeshError(
      "not_found",
      `No session of yours has the name "${session}".`,
      didYouMean(session, known, "See `claudemesh session list`."),
    );
  };

  const say = (
    { workspace }: Opened,
    member: string,
    right: Right,
    session: string | null,
    allowed: boolean,
  ) =>
    workspace.putOwn(workspace.me, `grant:${member}:${right}:${session ?? ""}`, {
      kind: "member.grant",
      member,
      right,
      session,
      allowed,
    });

  const block =
    (blocked: boolean): GrantHandlers["block"] =>
    ({ workspace: selector, peer: text }) => {
      const { opened, id } = findOther(peer, selector, text);
      const { workspace } = opened;
      workspace.putOwn(workspace.me, `block:${id}`, { kind: "member.block", member: id, blocked });
      return listingOf(opened, id);
    };

  return {
    grant({ workspace: selector, peer: text, rights, session }) {
      const { opened, id } = findOther(peer, selector, text);
      if (session !== undefined) requireSession(session);
      for (const right of new Set(rights)) say(opened, id, right, session ?? null, true);
      return listingOf(opened, id);
    },
    revoke({ workspace: selector, peer: text, rights }) {
      const { opened, id } = findOther(peer, selector, text);
      for (const right of new Set(rights)) {
        for (const { session } of sessionsOf(opened.workspace, id, right))
          say(opened, id, right, session, false);
        say(opened, id, right, null, false);
      }
      return listingOf(opened, id);
    },
    grants({ workspace: selector, peer: text }) {
      if (text !== undefined) {
        const { opened, id } = findPeer(peer, selector, text);
        return { grants: [listingOf(opened, id)] };
      }
      return {
        grants: peer.readable(selector).flatMap((opened) => {
          const members = [...(opened.workspace.chain()?.members.values() ?? [])];
          return members
            .filter(({ id, active }) => active && id !== opened.workspace.me)
            .map(({ id }) => listingOf(opened, id));
        }),
      };
    },
    block: block(true),
    unblock: block(false),
  };
}

function sessionsOf(
  { replica }: Workspace,
  member: string,
  right: Right,
): { session: string; allowed: boolean }[] {
  return replica.db
    .sql(
      `SELECT session, allowed FROM grants WHERE member = ? AND "right" = ? AND session <> '' ORDER BY session`,
    )
    .all(member, right)
    .map((row) => ({ session: String(row.session), allowed: row.allowed === 1 }));
}

function listingOf({ slug, workspace }: Opened, member: string) {
  const sessions: Record<string, Right[]> = {};
  for (const right of RIGHTS)
    for (const { session, allowed } of sessionsOf(workspace, member, right))
      if (allowed) sessions[session] = [...(sessions[session] ?? []), right];
  return {
    member,
    name: memberNames(workspace).get(member) ?? member,
    workspace: slug,
    blocked: isBlocked(workspace.replica.db, member),
    rights: RIGHTS.filter((right) => isGranted(workspace.replica.db, member, right, null)),
    sessions,
  };
}
