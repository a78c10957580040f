/** Invites: made, listed, revoked; and joining by one. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { ListedInvite } from "#protocol/features/invite.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import { ID_PATTERN, newInviteCode } from "#protocol/ids.ts";
import { decodeInviteLink, encodeInviteLink } from "#protocol/invite-link.ts";
import type { FetchJson } from "#protocol/ports.ts";
import type { Handlers } from "#protocol/registry.ts";
import { memberNames } from "../messages/names.ts";
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

function invitesOf({ slug, workspace: one }: Opened, now: number): ListedInvite[] {
  const names = memberNames(one);
  return [...(one.chain()?.invites.values() ?? [])].map(
    ({ code, role, uses, used, expiresAt, by, void: isVoid }) => ({
      code,
      workspace: slug,
      role,
      uses,
      used,
      expiresAt: new Date(expiresAt).toISOString(),
      by: names.get(by) ?? by,
      state: isVoid ? "revoked" : used >= uses ? "used up" : expiresAt <= now ? "expired" : "open",
    }),
  );
}
