/** Workspaces: making, listing, choosing, leaving; and the invites into them. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { activeMember, currentEpoch, type Member, mayInvite } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { ListedInvite, ListedWorkspace, WorkspaceMember } from "#protocol/features/workspace.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import { ID_PATTERN, newInviteCode } from "#protocol/ids.ts";
import { decodeInviteLink, encodeInviteLink } from "#protocol/invite-link.ts";
import type { FetchJson } from "#protocol/ports.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import { unreadCount } from "../inbox.ts";
import { memberNames } from "../names.ts";
import { type Caller, type Opened, type Peer, requireShared } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

const DAY_MS = 86_400_000;
const CHAIN_WAIT_MS = 10_000;
const JOIN_WAIT_MS = 10_000;
/** How long a join waits for somebody to hand over the key before it tells that nobody is there. */
const KEY_WAIT_MS = 3000;

export const workspace: Feature = {
  name: "workspace",
  tables: `
    CREATE TABLE workspace_names (
      sender TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER
    ) STRICT;
  `,
  apply: {
    "workspace.profile"({ db, chain }, { name }, { from, seq, put }) {
      const role = chain.members.get(from)?.role;
      if (!put?.own || !role || !mayInvite(role)) return;
      db.sql(
        `INSERT INTO workspace_names (sender, name, version, seq) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET name = excluded.name, version = excluded.version, seq = excluded.seq
         WHERE excluded.version >= version`,
      ).run(from, name, put.version, seq);
    },
  },
};

/** Who joined knows the workspace's own name once a key is here. */
export function learnName(peer: Peer) {
  return (where: Opened, happening: Happening): void => {
    if (happening.type !== "applied" || happening.event.kind !== "workspace.profile") return;
    peer.settleSlug(where, happening.event.name);
  };
}

export function workspaceHandlers(
  peer: Peer,
  defaultBroker: () => string | null,
): Handlers<Caller>["workspace"] {
  return {
    list: () => ({ workspaces: peer.opened().map(listed) }),
    async create({ name }) {
      const opened = await peer.create(name, defaultBroker());
      return { id: opened.workspace.id, slug: opened.slug, broker: opened.workspace.broker };
    },
    use({ workspace: selector }) {
      const opened = peer.writable(selector);
      peer.use(opened);
      return listed(opened);
    },
    info({ workspace: selector }) {
      const opened = peer.writable(selector);
      const { workspace: one } = opened;
      const chain = one.chain();
      return {
        ...listed(opened),
        owner: chain && (memberNames(one).get(chain.owner) ?? null),
        epoch: (chain && currentEpoch(chain)?.number) ?? 0,
        chain: chain?.head ?? null,
        cursor: one.replica.cursor(),
        outbox: one.replica.outboxSize(),
        note: noteOf(one),
      };
    },
    members: ({ workspace: selector }) => ({ members: membersOf(peer.writable(selector)) }),
    rename({ workspace: selector, name }) {
      const opened = peer.writable(selector);
      peer.rename(opened, name);
      return { id: opened.workspace.id, slug: opened.slug };
    },
    async delete({ workspace: selector }) {
      const opened = peer.writable(selector);
      requireDeletable(opened);
      await peer.remove(opened);
      return { id: opened.workspace.id, slug: opened.slug };
    },
    async leave({ workspace: selector }) {
      const opened = peer.writable(selector);
      const { workspace: one, slug } = opened;
      await one.propose(async () => ({ type: "leave" }), CHAIN_WAIT_MS);
      await peer.remove(opened);
      return { id: one.id, slug };
    },
  };
}

export function inviteHandlers(peer: Peer): Handlers<Caller>["invite"] {
  const { random, curves, fetchJson } = peer.ports;
  return {
    async create({ workspace: selector, role = "member", uses = 1, expiresInMs = 7 * DAY_MS }) {
      const { workspace: one } = peer.writable(selector);
      if (!one.broker)
        throw new MeshError(
          "offline",
          "This workspace has no broker to meet at.",
          "Start one: claudemesh up --broker URL",
        );
      const secret = random(16);
      const code = newInviteCode(random);
      const expiresAt = Math.floor(peer.now() + expiresInMs);
      const key = toBase64url(await curves.signingPublicKey(inviteSeed(secret)));
      const state = await one.propose(
        // Asked again after a lost answer, it may be there already.
        async (chain) =>
          chain.invites.has(code) ? null : { type: "invite", code, key, role, expiresAt, uses },
        CHAIN_WAIT_MS,
      );
      const head = fromBase64url(state.head.hash).subarray(0, 16);
      const url = encodeInviteLink({ broker: brokerOrigin(one.broker), code, secret, head });
      return { url, code, role, expiresAt: new Date(expiresAt).toISOString(), uses };
    },

    list: ({ workspace: selector }) => ({
      invites: peer.readable(selector).flatMap((opened) => invitesOf(opened, peer.now())),
    }),

    async accept({ url, waitMs = JOIN_WAIT_MS }) {
      const { broker, code, secret, head } = decodeInviteLink(url);
      const id = await lookUp(fetchJson, broker, code);
      const opened = await peer.add(id, broker, { code, secret, head });
      const { workspace: one } = opened;
      try {
        await one.changed.until(() => joinOutcome(one), waitMs, "the broker to take in the join");
      } catch (error) {
        // A join that was refused leaves nothing behind; one that wasn't answered yet goes on by itself.
        if (!(error instanceof MeshError) || error.code !== "timeout") await peer.remove(opened);
        throw error;
      }
      const waiting = !(await hasKey(one));
      const role = one.chain()?.members.get(one.me)?.role ?? "member";
      const name = memberNames(one).get(one.me);
      return {
        id,
        slug: opened.slug,
        member: { id: one.me, name: waiting || !name ? peer.account.name : name, role },
        waiting,
      };
    },
  };
}

async function lookUp(fetchJson: FetchJson, broker: string, code: string): Promise<string> {
  const { status, body } = await fetchJson(`${broker}/v1/invites/${code}`);
  const answer = typeof body === "object" && body !== null ? body : {};
  if (
    status === 200 &&
    "workspace" in answer &&
    typeof answer.workspace === "string" &&
    ID_PATTERN.test(answer.workspace)
  ) {
    return answer.workspace;
  }
  if (status === 404)
    throw new MeshError("invite_not_found", "The broker knows no such invite.", "Ask for a new invite link.");
  throw fromErrorShape({
    code: "offline",
    message: `The broker answered with ${status}.`,
    hint: "Try again later.",
  });
}

/** True when in; throws why not; null while it isn't known. */
function joinOutcome(one: Workspace): true | null {
  const trouble = one.trouble();
  if (trouble && one.link() === "offline" && trouble.code !== "offline") throw trouble;
  return one.isMember() && !one.isJoining() ? true : null;
}

/** With the key come the workspace's name and, once they are told, one's own: then colleagues can write back. */
async function hasKey(one: Workspace): Promise<boolean> {
  const isSettled = () => {
    const isNamed = one.replica.db.sql("SELECT 1 FROM workspace_names").get() !== undefined;
    return isNamed && one.replica.outboxSize() === 0 ? true : null;
  };
  try {
    return await one.changed.until(isSettled, KEY_WAIT_MS, "the key");
  } catch {
    return false;
  }
}

function listed({ slug, used, workspace: one }: Opened): ListedWorkspace {
  const chain = one.chain();
  const me = chain && activeMember(chain, one.me);
  return {
    id: one.id,
    slug,
    broker: one.broker,
    role: me?.role ?? null,
    link: one.link(),
    members: activeMembers(one).length,
    unread: unreadCount(one),
    used,
  };
}

function activeMembers(one: Workspace): Member[] {
  return [...(one.chain()?.members.values() ?? [])].filter(({ active }) => active);
}

function membersOf({ workspace: one }: Opened): WorkspaceMember[] {
  const names = memberNames(one);
  const present = new Set(one.presence.present().map(({ member }) => member));
  return activeMembers(one).map(({ id, role, invitedBy }) => ({
    member: id,
    name: names.get(id) ?? id,
    role,
    you: id === one.me,
    online: id === one.me || present.has(id),
    invitedBy: invitedBy && (names.get(invitedBy) ?? invitedBy),
  }));
}

function invitesOf({ slug, workspace: one }: Opened, now: number): ListedInvite[] {
  const names = memberNames(one);
  return [...(one.chain()?.invites.values() ?? [])].map(({ code, role, uses, used, expiresAt, by }) => ({
    code,
    workspace: slug,
    role,
    uses,
    used,
    expiresAt: new Date(expiresAt).toISOString(),
    by: names.get(by) ?? by,
    state: used >= uses ? "used up" : expiresAt <= now ? "expired" : "open",
  }));
}

/** Only the owner's, and only once nobody else would lose it. @throws MeshError refused, not_allowed */
function requireDeletable(opened: Opened): void {
  const { slug, workspace: one } = opened;
  requireShared(opened, "can't be deleted");
  const chain = one.chain();
  if (chain && chain.owner !== one.me)
    throw new MeshError(
      "not_allowed",
      `${slug} belongs to ${memberNames(one).get(chain.owner)}.`,
      `Leave it: claudemesh workspace leave ${slug}`,
    );
  const others = activeMembers(one).length - 1;
  if (others > 0)
    throw new MeshError(
      "refused",
      `${others === 1 ? "Somebody else is" : `${others} others are`} in ${slug}.`,
      "Ask them to leave it first; see `claudemesh workspace members`.",
    );
}

export function noteOf(one: Workspace): string | null {
  const trouble = one.trouble() ?? one.linkTrouble();
  if (trouble) return trouble.message;
  if (one.isJoining()) return "Waiting for the broker to take in the join.";
  const chain = one.chain();
  const epoch = chain && currentEpoch(chain);
  if (epoch && !one.keyring.workspaceKey(epoch.number))
    return "Waiting for a member who is online to hand over the key.";
  return null;
}
