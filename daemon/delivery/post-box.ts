/**
 * What waits for one session, on its way to it: one post at a time, so that what comes meanwhile goes together. The queue
 * is the replicas' table; an event that something was given is a doorbell.
 */
import type { Message } from "#protocol/features/message.ts";
import {
  counted,
  type Given,
  givenTo,
  keptBack,
  notPosted,
  posting,
  shown,
} from "#sdk/messages/handing-over.ts";
import { messageById } from "#sdk/messages/inbox.ts";
import type { Opened, Peer } from "#sdk/peer.ts";
import type { AttachedSession } from "../sessions.ts";

/** In one post. */
const AT_ONCE = 200;
const RETRY_MS = 5000;

export type Waiting = { opened: Opened; given: Given; message: Message };

/** Whether a message may come to a session now, or ever. */
export type Verdict = { post: true } | { state: "held" | "refused"; reason: string };

export type Carrier = {
  /** Ms until something may be posted; null: when `look` is called again. */
  wait(): number | null;
  verdict(message: Waiting): Verdict;
  /** Puts them before the session; answers once they are out of our hands. @throws when they aren't */
  carry(messages: readonly Waiting[]): Promise<Carried>;
};

/** `shown`: so many of them, from the first on. The others wait, or were told of by their count. `held`: its client keeps them. */
export type Carried = { shown: number; rest: "waits" | "counted"; held?: string };

export type PostBox = { look(): void; close(): void };

export function createPostBox(peer: Peer, session: AttachedSession, carrier: Carrier): PostBox {
  const { timers, log } = peer.ports;
  let closed = false;
  let isUnderWay = false;
  let cancelTimer = () => {};

  const admitted = (waiting: Waiting): boolean => {
    const verdict = carrier.verdict(waiting);
    if ("post" in verdict) return true;
    keptBack(peer, waiting.opened.workspace, waiting.given, verdict.state, verdict.reason);
    return false;
  };

  const next = (): Waiting[] => {
    const all = peer.opened().flatMap((opened) =>
      givenTo(opened.workspace, session.name, AT_ONCE).flatMap((given) => {
        const message = messageById(opened, given.sender, given.id);
        return message ? [{ opened, given, message }] : [];
      }),
    );
    return all
      .filter(admitted)
      .toSorted((a, b) => (a.given.id < b.given.id ? -1 : 1))
      .slice(0, AT_ONCE);
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

  const post = async (all: readonly Waiting[]) => {
    isUnderWay = true;
    try {
      eachWorkspace(all, posting);
      const carried = await carrier.carry(all);
      const first = all.slice(0, carried.shown);
      if (carried.held === undefined) eachWorkspace(first, shown);
      else
        for (const { opened, given } of first) keptBack(peer, opened.workspace, given, "held", carried.held);
      eachWorkspace(all.slice(carried.shown), carried.rest === "waits" ? notPosted : counted);
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
    const waiting = next();
    if (waiting.length === 0) return;
    if (wait > 0) cancelTimer = timers.after(wait, look);
    else post(waiting).catch((error) => log.error({ error: String(error) }, "a post box failed"));
  };

  return {
    look,
    close() {
      closed = true;
      cancelTimer();
    },
  };
}
