/** Invites: made, listed, revoked; and joining by one. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { decodeEntry } from "#protocol/chain/entries.ts";
import { type ChainState, inviteState } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { ListedInvite } from "#protocol/features/invite.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import { ID_PATTERN, newInviteCode, recordIdTime } from "#protocol/ids.ts";
import { decodeInviteLink, encodeInviteLink } from "#protocol/invite-link.ts";
import type { FetchJson } from "#protocol/ports.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Role } from "#protocol/schema.ts";
import { memberNames, waitingForKey } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

const CHAIN_WAIT_MS = 10_000;
const DAY_MS = 86_400_000;
const JOIN_WAIT_MS = 10_000;
/** How long a join waits for somebody to hand over the key before it tells that nobody is there. */
const KEY_WAIT_MS = 3000;

export function inviteHandlers(peer: Peer): Handlers<Caller>["invite"] {
  const { random, curves, fetchJson } = peer.ports;
  return {
    async create({ workspace: selector, role = "member", uses = 1, expiresInMs = 7 * DAY_MS, unattended }) {
      const { workspace: one } = peer.writable(selector);
      if (unattended) requireOneMember(role, uses);
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
        return unattended ? { ...entry, wrapped: wrappedKey(one, chain, { code, secret }) } : entry;
      }, CHAIN_WAIT_MS);
      const head = fromBase64url(state.head.hash).subarray(0, 16);
      const url = encodeInviteLink({ broker: brokerOrigin(one.broker), code, secret, head });
      return {
        url,
        code,
        role,
        expiresAt: new Date(expiresAt).toISOString(),
        uses,
        ...(unattended ? { unattended } : {}),
      };
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

/** @throws MeshError usage */
function requireOneMember(role: Role, uses: number): void {
  if (uses === 1 && role !== "guest") return;
  throw new MeshError(
    "usage",
    "An unattended invite carries the workspace's key: it is for one use, and not for a guest.",
    "Leave --unattended out, or make one for each colleague.",
  );
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
  return [...(chain?.invites.values() ?? [])].map((invite) => {
    const { code, role, uses, used, expiresAt, by } = invite;
    const users = [...(chain?.members.values() ?? [])].filter((member) => member.invite === code);
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
      state: inviteState(invite, now),
    };
  });
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
