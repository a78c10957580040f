import {
  activeMember,
  type ChainState,
  currentEpoch,
  type Member,
  mayInvite,
} from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import type { ListedWorkspace, RoleOutcome, WorkspaceMember } from "#protocol/features/workspace.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import { findPeer } from "../messages/address.ts";
import { unreadCount } from "../messages/inbox.ts";
import { memberNames } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import { type Brokers, brokerForNew } from "../which-broker.ts";
import { requireShared } from "../which-workspace.ts";
import type { Workspace } from "../workspace.ts";

const CHAIN_WAIT_MS = 10_000;

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

export function workspaceHandlers(peer: Peer, brokers: Brokers): Handlers<Caller>["workspace"] {
  return {
    list: () => ({ workspaces: peer.opened().map(listed) }),
    async create({ name }) {
      const opened = await peer.create(name, brokerForNew(brokers, peer.person));
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
        offeredTo: chain?.offer ? (memberNames(one).get(chain.offer.member) ?? null) : null,
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
    async remove({ workspace: selector, member: text }) {
      const { opened, id } = findPeer(peer, selector, text);
      const before = describedMember(opened, id);
      const isThere = (chain: ChainState) => activeMember(chain, id) !== undefined;
      const entry = { type: "remove", member: id } as const;
      await opened.workspace.propose(async (chain) => (isThere(chain) ? entry : null), CHAIN_WAIT_MS);
      return before;
    },
    async role({ workspace: selector, member: text, role }) {
      const { opened, id } = findPeer(peer, selector, text);
      if (role === "owner" || role === "admin") opened.workspace.trust.requireKnown(id);
      if (role === "owner") {
        const outcome = await handOver(opened.workspace, id);
        return { ...describedMember(opened, id), outcome };
      }
      const entry = { type: "role", member: id, role } as const;
      const isDone = (chain: ChainState) => activeMember(chain, id)?.role === role;
      await opened.workspace.propose(async (chain) => (isDone(chain) ? null : entry), CHAIN_WAIT_MS);
      return { ...describedMember(opened, id), outcome: "changed" };
    },
    async rotate({ workspace: selector }) {
      const { workspace: one, slug } = peer.writable(selector);
      const before = one.chain()?.epochs.length ?? 0;
      const state = await one.propose(
        async (chain) => (chain.epochs.length > before ? null : one.keyring.newEpoch(chain)),
        CHAIN_WAIT_MS,
      );
      return { id: one.id, slug, epoch: currentEpoch(state)?.number ?? 0 };
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

/** Decided by whose workspace it is when the entry is made: the same words offer it, take it back, or take it over. */
async function handOver(one: Workspace, member: string): Promise<RoleOutcome> {
  let outcome: RoleOutcome = "changed";
  await one.propose(async (chain) => {
    const offered = chain.offer?.member ?? null;
    if (chain.owner === one.me) {
      // Asked again after a lost answer, it is taken already.
      if (outcome === "taken") return null;
      const wanted = member === one.me ? null : member;
      outcome = wanted === null ? "withdrawn" : "offered";
      return offered === wanted ? null : { type: "offer", member: wanted };
    }
    outcome = "taken";
    if (member === one.me) return { type: "accept" };
    throw new MeshError(
      "not_allowed",
      "Only the owner offers the workspace.",
      `Ask ${memberNames(one).get(chain.owner) ?? "the owner"}.`,
    );
  }, CHAIN_WAIT_MS);
  return outcome;
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

function describedMember({ slug, workspace: one }: Opened, id: string) {
  const role = one.chain()?.members.get(id)?.role ?? "member";
  return { member: id, name: memberNames(one).get(id) ?? id, role, workspace: slug };
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
  const lasting = one.trouble();
  if (lasting) return `${lasting.message} ${lasting.hint}`.trim();
  const passing = one.linkTrouble();
  if (passing) return passing.message;
  if (one.isJoining()) return "Waiting for the broker to take in the join.";
  const chain = one.chain();
  const epoch = chain && currentEpoch(chain);
  if (chain?.members.get(one.me)?.role === "guest") return "You are a guest here: in private topics only.";
  if (epoch && !one.keyring.workspaceKey(epoch.number))
    return "Waiting for a member who is online to hand over the key.";
  return null;
}
