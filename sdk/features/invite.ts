/** Invites: made, listed, revoked; and joining by one. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { decodeEntry } from "#protocol/chain/entries.ts";
import { type ChainState, inviteState } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { ListedInvite } from "#protocol/features/invite.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import { newInviteCode, recordIdTime } from "#protocol/ids.ts";
import {
  decodeInviteAddress,
  decodeInviteLink,
  encodeInviteAddress,
  encodeInviteLink,
} from "#protocol/invite-link.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Role } from "#protocol/schema.ts";
import type { Asking } from "../membership/approvals.ts";
import type { Asked } from "../membership/asking.ts";
import type { InviteSecret } from "../membership/invite.ts";
import { lookUpInvite } from "../membership/look-up.ts";
import { memberNames, waitingForKey } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { provisionalSlug } from "../workspaces.ts";

const CHAIN_WAIT_MS = 10_000;
const DAY_MS = 86_400_000;
const JOIN_WAIT_MS = 10_000;
/** Who was let in in the last moment is given so long to come in. */
const LEAST_WAIT_MS = 1000;
/** How long a join waits for somebody to hand over the key before it tells that nobody is there. */
const KEY_WAIT_MS = 3000;

export function inviteHandlers(peer: Peer): Handlers<Caller>["invite"] {
  const { random, curves, fetchJson } = peer.ports;
  return {
    async create({
      workspace: selector,
      role = "member",
      uses = 1,
      expiresInMs = 7 * DAY_MS,
      unattended,
      email,
    }) {
      const { workspace: one } = peer.writable(selector);
      if (unattended || email !== undefined) requireOneMember(role, uses, { unattended, email });
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
      if (unattended) await freshEpoch(one);
      const state = await one.propose(async (chain) => {
        // Asked again after a lost answer, it may be there already.
        if (chain.invites.has(code)) return null;
        const entry = { type: "invite", code, key, role, expiresAt, uses } as const;
        if (email !== undefined) return { ...entry, mail: true };
        return unattended ? { ...entry, wrapped: wrappedKey(one, chain, { code, secret }) } : entry;
      }, CHAIN_WAIT_MS);
      const head = fromBase64url(state.head.hash).subarray(0, 16);
      const broker = brokerOrigin(one.broker);
      const made = { code, role, expiresAt: new Date(expiresAt).toISOString(), uses };
      if (email !== undefined) {
        await sendOrRevoke(one, { code, secret, head }, email);
        return { url: encodeInviteAddress({ broker, code }), ...made, email };
      }
      const url = encodeInviteLink({ broker, code, secret, head });
      return { url, ...made, ...(unattended ? { unattended } : {}) };
    },

    list: ({ workspace: selector }) => ({
      invites: peer.readable(selector).flatMap((opened) => invitesOf(opened, peer.now())),
    }),

    async revoke({ workspace: selector, code }) {
      const { workspace: one, slug } = peer.writable(selector);
      // Asked again after a lost answer, it may be void already.
      await one.propose(
        async (chain) => (chain.invites.get(code)?.void ? null : { type: "revoke", code }),
        CHAIN_WAIT_MS,
      );
      return { code, workspace: slug };
    },

    async approve({ workspace: selector, code, words }) {
      const among = peer.readable(selector);
      const opened = among.find(({ workspace }) => workspace.chain()?.invites.has(code));
      if (!opened) {
        throw new MeshError("invite_not_found", "There is no such invite.", "See `claudemesh invite list`.");
      }
      const asking = await opened.workspace.approvals.approve(code, words);
      return { code, workspace: opened.slug, member: asking.user, words: asking.words };
    },

    async accept({ url, waitMs = JOIN_WAIT_MS }) {
      const deadline = peer.now() + waitMs;
      const address = decodeInviteAddress(url);
      if (address) {
        const asked = await peer.asking.ask(address);
        const id = await peer.asking.answered(address.code, Math.max(1, deadline - peer.now()));
        if (!id) return waitingFor(peer, asked);
        const [opened] = peer.readable(id);
        if (!opened) throw new Error("who was let in has the workspace");
        return joined(peer, opened, Math.max(LEAST_WAIT_MS, deadline - peer.now()));
      }
      const { broker, code, secret, head } = decodeInviteLink(url);
      const id = await lookUpInvite(fetchJson, broker, code);
      return joined(peer, await peer.add(id, broker, { code, secret, head }), waitMs);
    },
  };
}

/** Waits until the broker has taken in the join. @throws MeshError why it can't be, timeout: then it goes on by itself */
async function joined(peer: Peer, opened: Opened, waitMs: number) {
  const { workspace: one } = opened;
  try {
    await one.changed.until(() => joinOutcome(one), waitMs, "the broker to take in the join");
  } catch (error) {
    // A join that was refused leaves nothing behind; one that wasn't answered yet goes on by itself.
    if (!(error instanceof MeshError) || error.code !== "timeout") await peer.remove(opened);
    throw error;
  }
  const role = one.chain()?.members.get(one.me)?.role ?? "member";
  // A guest has no key of the workspace to wait for.
  const waiting = role !== "guest" && !(await hasKey(one));
  const name = memberNames(one).get(one.me);
  return {
    id: one.id,
    slug: opened.slug,
    member: { id: one.me, name: waiting || !name ? peer.account.name : name, role },
    waiting,
  };
}

/** It isn't here yet, and is called what it would be if it came now without its name. */
function waitingFor(peer: Peer, { workspace: id, role, words }: Asked) {
  const { user, name } = peer.account;
  const state = "waiting for approval" as const;
  return { id, slug: provisionalSlug(id), member: { id: user, name, role }, waiting: true, state, words };
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

/** @throws MeshError usage */
function requireOneMember(
  role: Role,
  uses: number,
  kind: { unattended: true | undefined; email: string | undefined },
): void {
  if (kind.unattended && kind.email !== undefined) {
    throw new MeshError(
      "usage",
      "Who is invited by e-mail is let in by hand, and given the key then.",
      "Leave --unattended out.",
    );
  }
  if (uses !== 1) {
    throw new MeshError(
      "usage",
      "An invite that is unattended, or goes by e-mail, is for one use.",
      "Make one for each colleague.",
    );
  }
  if (kind.unattended && role === "guest") {
    throw new MeshError(
      "usage",
      "An unattended invite carries the workspace's key, which a guest doesn't hold.",
      "Leave --unattended out.",
    );
  }
}

/** An invite whose link went nowhere lets nobody in. */
async function sendOrRevoke(one: Workspace, invite: InviteSecret, email: string): Promise<void> {
  try {
    await one.approvals.send(invite, email);
  } catch (error) {
    const isVoid = (chain: ChainState) => chain.invites.get(invite.code)?.void === true;
    const entry = { type: "revoke", code: invite.code } as const;
    await one.propose(async (chain) => (isVoid(chain) ? null : entry), CHAIN_WAIT_MS).catch(() => {});
    throw error;
  }
}

/** Somebody left, and nobody has said anything since: the key that is there now is of the past. */
async function freshEpoch(one: Workspace): Promise<void> {
  await one.propose(async (chain) => (chain.stale ? one.keyring.newEpoch(chain) : null), CHAIN_WAIT_MS);
}

/** @throws MeshError waiting_for_key */
function wrappedKey(one: Workspace, chain: ChainState, invite: { code: string; secret: Uint8Array }): string {
  const wrapped = one.keyring.wrapFor(chain, invite);
  if (!wrapped) throw waitingForKey();
  return toBase64url(wrapped);
}

function invitesOf({ slug, workspace: one }: Opened, now: number): ListedInvite[] {
  const names = memberNames(one);
  const chain = one.chain();
  const joined = joinTimes(one);
  const waiting = one.approvals.waiting();
  return [...(chain?.invites.values() ?? [])].map((invite) => {
    const { code, role, uses, used, expiresAt, by } = invite;
    const users = [...(chain?.members.values() ?? [])].filter(
      (member) => member.invite === code && member.became === null,
    );
    return {
      code,
      workspace: slug,
      role,
      uses,
      used,
      usedBy: users.map(({ id }) => ({ member: id, name: names.get(id) ?? id, at: joined.get(id) ?? null })),
      expiresAt: new Date(expiresAt).toISOString(),
      by: names.get(by) ?? by,
      unattended: invite.wrapped !== null,
      email: one.approvals.emailOf(code),
      requests: waiting.filter((asking) => asking.code === code).map(shownRequest),
      state: invite.mail ? MAILED[inviteState(invite, now)] : inviteState(invite, now),
    };
  });
}

/** What becomes of an invite for one person, in that person's terms. */
const MAILED = {
  open: "pending",
  "used up": "accepted",
  expired: "expired",
  revoked: "revoked",
} as const;

function shownRequest({ user, words, at }: Asking) {
  return { member: user, words, at: new Date(at).toISOString() };
}

/** When who came in last, by the clock of who did. */
function joinTimes({ replica }: Workspace): Map<string, string> {
  const joins = replica.chain().map(({ bytes }) => decodeRecord(bytes));
  return new Map(
    joins
      .filter(({ body }) => decodeEntry(body).type === "join")
      .map(({ header }) => [header.from, new Date(recordIdTime(header.id)).toISOString()]),
  );
}
