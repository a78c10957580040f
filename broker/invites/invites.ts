/** Invites by e-mail: the mail, the requests of those who got it, and the answers, none of which the broker can open. */
import { activeMember, type ChainState, type Invite, inviteState, mayInvite } from "#protocol/chain/state.ts";
import { type ErrorCode, MeshError } from "#protocol/errors.ts";
import type { Answer, Mail, Requested } from "#protocol/frames.ts";
import {
  isGenuine,
  type JoinAnswer,
  type JoinRequest,
  joinAnswer,
  joinRequest,
} from "#protocol/join-request.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Role } from "#protocol/schema.ts";
import { slowDown } from "../accounts/throttle.ts";
import { createAddressPace } from "../address-pace.ts";
import { busy } from "../gateway/busy.ts";
import { BROKER_LIMITS } from "../limits.ts";
import type { Log, WorkspaceLog } from "../log/log.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { createMailing } from "./mailing.ts";

const HOUR_S = 3600;
const DAY_MS = 86_400_000;

export type Invites = {
  /** `origin`: the broker's address as the member's device knows it. @throws MeshError not_allowed, invite_…, refused, slow_down, offline */
  mail(log: WorkspaceLog, member: string, origin: string, frame: Mail): Promise<void>;
  /** Those that wait for an answer. @throws MeshError not_allowed, invite_not_found */
  waiting(log: WorkspaceLog, member: string, code: string): Promise<Requested["requests"]>;
  /** @throws MeshError not_allowed, invite_…, not_found */
  answer(log: WorkspaceLog, member: string, frame: Answer): Promise<void>;
  /**
   * Takes a request in, and tells those who may invite. `address`: where it comes from.
   * @throws MeshError invite_…, conflict, bad_signature, busy, slow_down
   */
  ask(code: string, address: string, request: JoinRequest): Promise<{ workspace: string; role: Role }>;
  /** Null while nobody has let them in. @throws MeshError invite_…, not_found */
  answerFor(code: string, user: string): Promise<JoinAnswer | null>;
};

export function createInvites(
  ports: CountingPorts,
  config: Pick<BrokerConfig, "limits">,
  logs: Log,
): Invites {
  const { store, clock, metrics } = ports;
  const limits = { ...BROKER_LIMITS, ...config.limits };
  const mailing = createMailing(ports, limits);
  const pace = createAddressPace(clock, {
    perSecond: limits.joinRequestsPerHour / HOUR_S,
    burst: limits.joinRequestsPerHour,
  });

  const kept = async (code: string) => {
    const youngest = clock.now() - LIMITS.joinRequestDays * DAY_MS;
    return (await store.joinRequests(code)).filter(({ at }) => at > youngest);
  };

  const waiting = async (code: string): Promise<Requested["requests"]> =>
    (await kept(code))
      .filter(({ answer }) => answer === null)
      .map(({ at, request }) => ({ at, request: joinRequest.parse(JSON.parse(request)) }));

  const find = async (code: string): Promise<{ chain: ChainState; invite: Invite }> => {
    const workspace = await store.inviteWorkspace(code);
    if (!workspace) throw refused("invite_not_found", "There is no such invite.");
    const log = await logs.open(workspace);
    const { chain } = log;
    logs.release(log);
    const invite = chain?.invites.get(code);
    if (!chain || !invite) throw new Error("a code that is listed stands in its chain");
    return { chain, invite };
  };

  const take = async (code: string, address: string, request: JoinRequest) => {
    const waitMs = pace.take(address);
    if (waitMs > 0) throw slowDown("Too many requests to join come from one address.", waitMs);
    const { chain, invite } = await find(code);
    const { workspace } = chain;
    requireMailed(invite);
    if (activeMember(chain, request.user)) {
      throw new MeshError("conflict", "You are a member of this workspace already.", "Just use it.");
    }
    requireOpen(invite, clock.now());
    if (!(await isGenuine(ports.curves, workspace, code, request))) {
      throw new MeshError("bad_signature", "The request isn't by who it says.", "Update claudemesh.");
    }
    const others = (await kept(code)).filter(({ user }) => user !== request.user);
    if (others.length >= LIMITS.joinRequests)
      throw busy("Too many ask to join by this invite.", HOUR_S * 1000);
    const at = Math.floor(clock.now());
    await store.putJoinRequest(code, { user: request.user, at, request: JSON.stringify(request) });
    const frame = { type: "requested", code, requests: await waiting(code) } as const;
    const members = [...chain.members.keys()].filter((id) => mayLetIn(chain, id));
    ports.bus.publish(workspace, { type: "requested", members, frame });
    return { workspace, role: invite.role };
  };

  return {
    async mail(log, member, origin, { code, email }) {
      const invite = inviteOf(log, member, code);
      requireMailed(invite);
      requireOpen(invite, clock.now());
      await mailing.send(log.id, origin, invite, email);
    },

    async waiting(log, member, code) {
      inviteOf(log, member, code);
      return waiting(code);
    },

    async answer(log, member, { code, user, answer }) {
      requireOpen(inviteOf(log, member, code), clock.now());
      if (!(await kept(code)).some((one) => one.user === user)) throw nobodyAsked();
      await store.answerJoinRequest(code, user, JSON.stringify(answer));
    },

    async ask(code, address, request) {
      try {
        const taken = await take(code, address, request);
        metrics.count("join_requests", 1, "taken");
        return taken;
      } catch (error) {
        metrics.count("join_requests", 1, error instanceof MeshError ? error.code : "unexpected");
        throw error;
      }
    },

    async answerFor(code, user) {
      const found = (await kept(code)).find((one) => one.user === user);
      if (found?.answer) return joinAnswer.parse(JSON.parse(found.answer));
      requireOpen((await find(code)).invite, clock.now());
      if (!found) throw nobodyAsked();
      return null;
    },
  };
}

/** @throws MeshError not_allowed, invite_not_found */
function inviteOf({ chain }: WorkspaceLog, member: string, code: string): Invite {
  if (!chain || !mayLetIn(chain, member)) {
    throw new MeshError("not_allowed", "Only an owner or an admin invites.", "Ask the workspace's owner.");
  }
  const invite = chain.invites.get(code);
  if (!invite) throw refused("invite_not_found", "There is no such invite.");
  return invite;
}

function mayLetIn(chain: ChainState, member: string): boolean {
  const role = activeMember(chain, member)?.role;
  return role !== undefined && mayInvite(role);
}

function requireMailed({ mail }: Invite): void {
  if (!mail)
    throw refused("invite_malformed", "This invite works only with the part of its link behind the #.");
}

const CLOSED = {
  revoked: ["invite_revoked", "This invite has been revoked."],
  expired: ["invite_expired", "This invite has expired."],
  "used up": ["invite_exhausted", "This invite has been used up."],
} as const satisfies Record<string, [ErrorCode, string]>;

function requireOpen(invite: Invite, now: number): void {
  const state = inviteState(invite, now);
  if (state === "open") return;
  const [code, message] = CLOSED[state];
  throw refused(code, message);
}

function refused(code: ErrorCode, message: string): MeshError {
  return new MeshError(code, message, "Ask for a new invite link.");
}

function nobodyAsked(): MeshError {
  return new MeshError("not_found", "Nobody who waits has asked so.", "Ask again: claudemesh join LINK");
}
