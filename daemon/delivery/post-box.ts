/**
 * What waits for one session, on its way to it: one post at a time, so that what comes meanwhile goes together. The queue
 * is the replicas' table; an event that something was given is a doorbell.
 */
import {
  counted,
  type Given,
  givenTo,
  keptBack,
  keptByClient,
  notPosted,
  posting,
  putOff,
  readMeanwhile,
  shown,
} from "#sdk/messages/handing-over.ts";
import { messageById } from "#sdk/messages/inbox.ts";
import type { Opened, Peer } from "#sdk/peer.ts";
import type { Verdict } from "../policy/decide.ts";
import type { Waiting } from "../policy/judge.ts";
import type { AttachedSession } from "../sessions.ts";

/** In one post. */
const AT_ONCE = 200;
const RETRY_MS = 5000;
/** What waits is looked at again after this at the latest: timers stand still while the machine sleeps. */
const LOOK_MS = 60_000;

export type Carrier = {
  /** Ms until something may be posted; null: when `look` is called again. */
  wait(): number | null;
  /** Whether it may come to the session now, or ever; `admitted` go there in the same post. */
  verdict(message: Waiting, admitted: readonly Waiting[]): Verdict;
  /** Puts them before the session; answers once they are out of our hands. @throws when they aren't */
  carry(messages: readonly Waiting[]): Promise<Carried>;
};

/** `shown`: so many of them, from the first on. The others wait, or were told of by their count. */
export type Carried = { shown: number; rest: "waits" | "counted" };

export type PostBox = { look(): void; close(): void };

export function createPostBox(peer: Peer, session: AttachedSession, carrier: Carrier): PostBox {
  const { timers, log } = peer.ports;
  let closed = false;
  let isUnderWay = false;
  let cancelTimer = () => {};

  const queued = (): Waiting[] =>
    peer
      .opened()
      .flatMap((opened) =>
        givenTo(opened.workspace, session.name, AT_ONCE).flatMap((given) => {
          const message = messageById(opened, given.sender, given.id);
          return message ? [{ opened, given, message }] : [];
        }),
      )
      .toSorted((a, b) => (a.given.id < b.given.id ? -1 : 1));

  /** What may be posted, and when to look again at the rest, in ms; null: not by itself. `held`: the client keeps those. */
  const sorted = () => {
    const admitted: Waiting[] = [];
    let held: string | null = null;
    let again: number | null = null;
    for (const waiting of queued()) {
      if (admitted.length === AT_ONCE) break;
      const { opened, given, message } = waiting;
      const { workspace } = opened;
      if (given.reason !== null && message.read && given.sender !== workspace.me) {
        readMeanwhile(peer, workspace, [given]);
        continue;
      }
      const verdict = carrier.verdict(waiting, admitted);
      if ("post" in verdict) {
        admitted.push(waiting);
        held = verdict.held ?? held;
      } else if ("later" in verdict) {
        if (given.reason !== verdict.reason) putOff(peer, workspace, given, verdict.reason);
        again = Math.min(again ?? Number.POSITIVE_INFINITY, verdict.later ?? Number.POSITIVE_INFINITY);
      } else keptBack(peer, workspace, given, verdict.state, verdict.reason);
    }
    return { admitted, held, again };
  };

  const eachWorkspace = (
    all: readonly Waiting[],
    step: (peer: Peer, workspace: Opened["workspace"], given: Given[]) => void,
  ) => {
    for (const opened of new Set(all.map((one) => one.opened))) {
      if (opened.workspace.isClosed()) continue;
      const here = all.filter((one) => one.opened === opened).map(({ given }) => given);
      step(peer, opened.workspace, here);
    }
  };

  const post = async (all: readonly Waiting[], held: string | null) => {
    isUnderWay = true;
    try {
      eachWorkspace(all, posting);
      const { shown: count, rest } = await carrier.carry(all);
      const first = all.slice(0, count);
      if (held === null) eachWorkspace(first, shown);
      else eachWorkspace(first, (...which) => keptByClient(...which, held));
      eachWorkspace(all.slice(count), rest === "waits" ? notPosted : counted);
    } catch (error) {
      log.warn({ session: session.id, error: String(error) }, "a message couldn't be handed over");
      // Who has gone may have got it: taking it back is for who lets the session go.
      if (!closed) eachWorkspace(all, notPosted);
      if (!closed) cancelTimer = timers.after(RETRY_MS, look);
      return;
    } finally {
      isUnderWay = false;
    }
    look();
  };

  const look = () => {
    cancelTimer();
    if (closed || isUnderWay) return;
    const wait = carrier.wait();
    if (wait === null) return;
    const { admitted, held, again } = sorted();
    if (admitted.length > 0 && wait === 0) {
      post(admitted, held).catch((error) => log.error({ error: String(error) }, "a post box failed"));
      return;
    }
    const soonest = Math.min(
      admitted.length > 0 ? wait : Number.POSITIVE_INFINITY,
      again === null ? Number.POSITIVE_INFINITY : Math.max(1, again - peer.now()),
      again === null ? Number.POSITIVE_INFINITY : LOOK_MS,
    );
    if (Number.isFinite(soonest)) cancelTimer = timers.after(soonest, look);
  };

  return {
    look,
    close() {
      closed = true;
      cancelTimer();
    },
  };
}
