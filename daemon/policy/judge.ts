/** The facts of a message that is on its way to a session, and what the rules make of them. */
import type { Message } from "#protocol/features/message.ts";
import type { MessageKind, Policy } from "#protocol/features/policy.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Role } from "#protocol/schema.ts";
import { mayDo } from "#sdk/features/grant.ts";
import { findPeer } from "#sdk/messages/address.ts";
import type { Queued } from "#sdk/messages/handing-over.ts";
import { aloneSince } from "#sdk/messages/hops.ts";
import { addressOf } from "#sdk/messages/inbox.ts";
import { memberNames } from "#sdk/messages/names.ts";
import { type Pair, roomAt, timesShown, turnOf } from "#sdk/messages/tally.ts";
import type { Opened, Peer } from "#sdk/peer.ts";
import type { AttachedSession } from "../sessions.ts";
import { decide, type Facts, type Ruling, type Verdict } from "./decide.ts";
import { midnight } from "./quiet.ts";

const REPEATS_MS = 10 * 60 * 1000;

/** A message that waits for one session. */
export type Waiting = { opened: Opened; given: Queued; message: Message };

export type Judge = ReturnType<typeof createJudge>;

/** How messages come to a session just now. `wakes`: it sits there and would begin a turn because of one. */
export type Way = { inbound: Facts["session"]["inbound"]; wakes: boolean };

/** What would be sent, as `policy test` has it. */
type Imagined = {
  workspace?: string | undefined;
  from: string;
  to?: string | undefined;
  kind?: MessageKind | undefined;
  priority?: Message["priority"] | undefined;
  hops?: number | undefined;
  at?: string | undefined;
};

const NOTHING: Facts["counts"] = { turn: () => 1, repeats: () => 0, roomAt: () => null, wakeups: () => 0 };

export function createJudge(peer: Peer, policy: () => Policy) {
  const woken = (session: string): number => {
    const row = peer.database
      .sql("SELECT count(*) AS n FROM wakes WHERE session = ? AND at >= ?")
      .get(session, midnight(peer.now()));
    return Number(row?.n ?? 0);
  };

  /** `admitted`: those that go to the session in the same post. */
  const countsOf = (
    session: AttachedSession,
    { opened, given, message }: Waiting,
    { session: speaker, label }: ReturnType<typeof addressOf>,
    admitted: readonly Waiting[],
  ): Facts["counts"] => {
    const { workspace } = opened;
    const { member, address } = message.from;
    const also = admitted.filter((one) => one.opened === opened && one.message.from.member === member);
    return {
      turn() {
        if (speaker === null || label !== workspace.me) return 1;
        const pair: Pair = { sender: member, session: speaker, names: namesOf(peer, session) };
        return turnOf(workspace, given.id, pair, aloneSince(peer, session.id));
      },
      repeats() {
        const same = also.filter(
          ({ message: { text, from } }) => text === message.text && from.address === address,
        );
        return timesShown(workspace, given, Math.floor(peer.now()) - REPEATS_MS) + same.length;
      },
      roomAt: (rate) => roomAt(workspace, given, rate - also.length, peer.now()),
      wakeups: () => woken(session.name),
    };
  };

  return {
    verdict(session: AttachedSession, waiting: Waiting, admitted: readonly Waiting[], way: Way): Verdict {
      const { opened, given, message } = waiting;
      const { from, priority } = message;
      const said = addressOf(opened.workspace, from.member, given.id);
      const facts: Facts = {
        now: peer.now(),
        sender: {
          ...from,
          session: said.session,
          role: roleOf(opened, from.member),
          mayWake: mayDo(opened.workspace, from.member, "wake", session.name),
        },
        workspace: opened.slug,
        kinds: kindsOf(said, opened.workspace.me, message.mentioned),
        priority,
        // A person at a terminal says none.
        hops: said.session === null ? (said.hops ?? 0) : said.hops,
        isReleased: given.isReleased,
        session: { ...faceOf(session), inbound: way.inbound, isIdle: way.wakes },
        counts: countsOf(session, waiting, said, admitted),
      };
      return decide(policy(), facts).verdict;
    },
    /** What becomes of messages for a session that bypasses; null: nothing special. */
    aboutBypassing(): string | null {
      const { bypass } = policy();
      if (bypass === "accept") return null;
      return `it runs without permission prompts: messages are ${bypass === "hold" ? "held" : "refused"}`;
    },
    /** A post has made an idle session work. */
    woke({ name }: AttachedSession): void {
      const now = Math.floor(peer.now());
      peer.database.sql("INSERT INTO wakes (session, at) VALUES (?, ?)").run(name, now);
      peer.database.sql("DELETE FROM wakes WHERE session = ? AND at < ?").run(name, midnight(now));
    },
    /** @throws MeshError unknown_address */
    imagine(imagined: Imagined, session: AttachedSession | null): Ruling {
      const { workspace: selector, from, to, kind, priority = "next", hops, at } = imagined;
      const [name = "", speaker = null] = from.split("/");
      const { opened, id: member } = findPeer(peer, selector, name);
      return decide(policy(), {
        now: at === undefined ? peer.now() : Date.parse(at),
        sender: {
          member,
          name: memberNames(opened.workspace).get(member) ?? name,
          session: speaker,
          role: roleOf(opened, member),
          mayWake: mayDo(opened.workspace, member, "wake", session?.name),
        },
        workspace: opened.slug,
        kinds: [kind ?? (to === undefined ? "direct" : "session")],
        priority,
        hops: hops ?? null,
        isReleased: false,
        session: session
          ? { ...faceOf(session), isIdle: false, inbound: "accept" }
          : { name: to ?? "a session", isDnd: false, isIdle: false, bypasses: false, inbound: "accept" },
        counts: NOTHING,
      });
    },
  };
}

function roleOf({ workspace }: Opened, member: string): Role | null {
  return workspace.chain()?.members.get(member)?.role ?? null;
}

function namesOf(peer: Peer, { id }: AttachedSession): string[] {
  return peer.database
    .sql("SELECT name FROM sessions WHERE id = ?")
    .all(id)
    .map((row) => String(row.name));
}

function faceOf({ name, chosen, bypasses }: AttachedSession) {
  return { name, isDnd: chosen === "dnd", bypasses };
}

/** By the label that it came under, which its sender can't deny, and whether it names me. */
function kindsOf(
  { label, toSession, topic }: ReturnType<typeof addressOf>,
  me: string,
  isMention: boolean,
): MessageKind[] {
  const direct = toSession === null ? "direct" : "session";
  const room = label === EVERYONE ? "everyone" : topic === null ? "group" : "topic";
  return [label === me ? direct : room, ...(isMention ? ["mention" as const] : [])];
}
