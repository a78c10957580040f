/**
 * What this member changes in private topics: made, joined by others, left, and given a new key. A change is a roster by
 * compare-and-set; the keys that it needs are with their members before it. Who was second goes on from the winner's.
 */
import { toBase64url } from "#protocol/bytes.ts";
import { activeMember, type ChainState, currentEpoch, heirOf, mayInvite } from "#protocol/chain/state.ts";
import { privateLabel } from "#protocol/derive.ts";
import { ERRORS, MeshError } from "#protocol/errors.ts";
import { WORKSPACE_KEY_BYTES } from "#protocol/key-box.ts";
import { decodeRecord, type Put, recordHash } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import { admitRoster, isInRoster } from "#protocol/roster.ts";
import type { Context } from "../context.ts";
import type { Answers } from "../link/answers.ts";
import type { Labels } from "../replica/labels.ts";
import { createWorker } from "../worker.ts";
import type { Standing } from "./rosters.ts";

/** Member id → what the member is called. */
type Members = ReadonlyMap<string, string>;

/** Who is to be in it, given those who are, without who has left the workspace; null: nothing is to change. */
type Draft = (members: Members, before: Standing | null) => Members | null;

export type TopicChanges = {
  /** Makes a topic; answers its label. @throws MeshError timeout, offline */
  create(name: string, members: Members, ms: number): Promise<string>;
  /** Changes who is in it, anew when somebody else was first. @throws MeshError not_allowed, not_in_topic, timeout */
  change(label: string, draft: Draft, ms: number): Promise<void>;
  /** What to seal under. @throws MeshError not_in_topic when I am out, waiting_for_key when it is being renewed */
  sealing(label: string): { generation: number; key: Uint8Array };
  /** Whether I am in it, as far as is known here. */
  isIn(label: string): boolean;
  /** The broker has a newer generation than this one. */
  ended(label: string, generation: number): void;
  /** Follows topics that I am in, and no others. `fresh`: of which keys are new. */
  look(fresh: ReadonlySet<string>): void;
};

export type TopicChangesOwner = {
  context: Context;
  answers: Answers;
  /** Whether something can be sealed and sent now; sets in motion what is missing. */
  ready(): boolean;
  /** @throws MeshError offline */
  head(label: string): Promise<number>;
  labels: Labels;
  /** All that was said there. */
  fetch(label: string): Promise<void>;
  /** What waits for a topic can be looked at again. */
  moved(): void;
};

const RENEWAL_LIMIT_MS = 30_000;
const RETRY_MS = 1000;

export function createTopicChanges(owner: TopicChangesOwner): TopicChanges {
  const { context, answers, labels } = owner;
  const { ports, rosters, topicKeys, sealer, cells, changed, me } = context;
  /** Generations that are over, as the broker says. */
  const over = new Map<string, number>();
  /** Topics whose newest roster stays closed to me, though all that is to me is here. */
  const out = new Set<string>();
  const wanted = new Set<string>();
  /** Versions of the newest rosters when I last looked. */
  const seen = new Map<string, number>();
  let last: Promise<unknown> = Promise.resolve();

  const chainNow = (): ChainState => {
    const { state } = context.chain.placed;
    if (state) return state;
    throw new MeshError("unknown_workspace", "The workspace isn't here yet.", "Wait for the join to finish.");
  };

  const isMember = (label: string): boolean => {
    const roster = rosters.current(label);
    const { state } = context.chain.known;
    const heirs = { heirOf: (member: string) => (state ? heirOf(state, member) : member) };
    return roster !== null && !out.has(label) && isInRoster(roster, me, heirs);
  };

  /** The broker has moved on from the generation that is in force here. */
  const isBehind = (label: string) => (over.get(label) ?? -1) >= (rosters.current(label)?.generation ?? 0);

  /** All that the broker has for me now is here, or the topic has moved on. */
  const catchUp = async (label: string, ms: number) => {
    const head = await owner.head(label);
    const before = rosters.newest(label)?.version;
    const isThere = () =>
      context.replica.cursor() >= head || rosters.newest(label)?.version !== before ? true : null;
    await changed.until(isThere, ms, "the topic's news");
  };

  /** Answers what the cell holds instead, if the put came too late. */
  const send = async (
    label: string,
    event: MeshEvent,
    put: Put,
    under: { generation: number; key: Uint8Array } | null,
  ) => {
    const draft = { id: context.newId(), label, n: 0, put, event, under };
    const record = await sealer.seal(chainNow(), draft);
    return { record, held: await answers.transmit(record) };
  };

  /** Into the member's label, as a value of mine there. */
  const hand = async (
    member: string,
    label: string,
    keys: ReadonlyMap<number, Uint8Array>,
  ): Promise<void> => {
    const handed = [...keys].map(([number, key]) => [String(number), toBase64url(key)] as const);
    const event = { kind: "topic.keys" as const, label, keys: Object.fromEntries(handed) };
    const cell = { name: `topic:${label}` };
    for (;;) {
      const put = cells.putOf(member, { cell, own: true, ttlMs: null, tombstone: false, expect: "any" });
      try {
        const { record, held } = await send(member, event, put, null);
        if (!held) return cells.sealed(member, put, recordHash(record));
        const version = decodeRecord(held).header.put?.version ?? 0;
        cells.learned(member, put, { version, hash: recordHash(held), live: true });
      } catch (error) {
        // Nothing is there, though something was: a restored log never had it.
        if (!(error instanceof MeshError) || error.code !== "conflict") throw error;
        cells.learned(member, put, null);
      }
    }
  };

  const factsNow = (chain: ChainState) => ({
    heirOf: (member: string) => heirOf(chain, member),
    isIn: (member: string) => activeMember(chain, heirOf(chain, member)) !== undefined,
    mayRemove: (member: string) => mayInvite(activeMember(chain, member)?.role ?? "guest"),
  });

  /** Those who are in the workspace, by their newest identities; as they were before the broker lost something. */
  const present = (label: string, chain: ChainState): Members => {
    const lost = rosters.lost(label);
    const all = [...(rosters.current(label)?.members ?? []), ...(lost?.members ?? [])];
    const isOut = (member: string) => lost?.out.has(member) || !activeMember(chain, heirOf(chain, member));
    return new Map(all.filter(([id]) => !isOut(id)).map(([id, name]) => [heirOf(chain, id), name]));
  };

  /** False: somebody else was first, and what they made of it is here now. */
  const attempt = async (label: string, name: string, draft: Draft, ms: number): Promise<boolean> => {
    const chain = chainNow();
    const before = rosters.current(label);
    const members = draft(present(label, chain), before);
    if (!members) return true;
    const newest = rosters.newest(label);
    const isStale = isBehind(label) || rosters.staleness(label, chain) !== null;
    const isLess = [...(before?.members.keys() ?? [])].some((one) => !members.has(one));
    const kept = before ? (isStale || isLess ? null : before.key) : topicKeys.first(label);
    const key = kept ?? ports.random(WORKSPACE_KEY_BYTES);
    const generation = newest ? newest.generation + Number(kept === null) : 0;
    const put = {
      key: label,
      version: (newest?.version ?? 0) + 1,
      expect: newest?.hash ?? null,
      own: false,
      ttl: null,
      tombstone: false,
    };
    const epoch = currentEpoch(chain)?.number ?? 0;
    admitRoster(before, { from: me, epoch, put, generation, name, members }, factsNow(chain));
    const keys = new Map(rosters.standings(label).map((one) => [one.generation, one.key])).set(
      generation,
      key,
    );
    topicKeys.learn(label, keys);
    const needing = [...members.keys(), me].filter((one) => kept === null || !before?.members.has(one));
    for (const member of new Set(needing)) await hand(member, label, keys);
    const roster = { kind: "topic.roster" as const, name, members: Object.fromEntries(members) };
    const { held } = await send(label, roster, put, { generation, key });
    if (held) await catchUp(label, ms);
    if (held) return false;
    const isHere = () => ((rosters.newest(label)?.version ?? 0) >= put.version ? true : null);
    await changed.until(isHere, ms, "the topic's roster to come back");
    rosters.forgetLost(label);
    return true;
  };

  const propose = (label: string, name: string, draft: Draft, ms: number): Promise<void> => {
    const deadline = ports.clock.now() + ms;
    const left = () => Math.max(1, deadline - ports.clock.now());
    const work = async () => {
      for (;;) {
        await changed.until(() => (owner.ready() ? true : null), left(), "the broker");
        try {
          if (await attempt(label, name, draft, left())) return;
        } catch (error) {
          if (!(error instanceof MeshError) || !ERRORS[error.code].retry || left() === 1) throw error;
          await new Promise<void>((resolve) => ports.timers.after(Math.min(RETRY_MS, left()), resolve));
        }
      }
    };
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };

  /** Whether it is clear what becomes of what waits for the topic. */
  const isSettled = (label: string): boolean => {
    if (out.has(label)) return true;
    if (!rosters.current(label) || rosters.waits(label) !== null) return false;
    return !isMember(label) || (!isBehind(label) && rosters.staleness(label, chainNow()) === null);
  };

  const renew = async (label: string): Promise<void> => {
    // What came before the broker knew that I follow it.
    if (!labels.isComplete(label)) await owner.fetch(label);
    if (rosters.waits(label) === "for a key" || isBehind(label)) await catchUp(label, RENEWAL_LIMIT_MS);
    if (rosters.waits(label) === "for a key") {
      out.add(label);
      labels.unfollow(label);
    } else if (isMember(label)) {
      const isStale = () => isBehind(label) || rosters.staleness(label, chainNow()) !== null;
      const name = rosters.current(label)?.name ?? "";
      await propose(label, name, (members) => (isStale() ? members : null), RENEWAL_LIMIT_MS);
    }
    if (isSettled(label)) owner.moved();
    else ports.timers.after(RETRY_MS, owner.moved);
  };

  const work = createWorker(
    async () => {
      for (const label of [...wanted]) {
        wanted.delete(label);
        if (context.greeting?.standing === "member") await renew(label);
      }
    },
    (error) => {
      const code = error instanceof MeshError ? error.code : String(error);
      ports.log.warn({ workspace: context.workspace, code }, "a topic's key was not renewed");
      ports.timers.after(RETRY_MS, owner.moved);
    },
  );

  const want = (label: string) => {
    wanted.add(label);
    work();
  };

  return {
    async create(name, members, ms) {
      const key = ports.random(WORKSPACE_KEY_BYTES);
      const label = privateLabel(key);
      topicKeys.learn(label, new Map([[0, key]]));
      await propose(label, name, (_, before) => (before ? null : members), ms);
      return label;
    },
    change: (label, draft, ms) => propose(label, rosters.current(label)?.name ?? "", draft, ms),
    isIn: (label) => isMember(label) && rosters.waits(label) === null,
    sealing(label) {
      const roster = rosters.current(label);
      const chain = chainNow();
      if (roster && rosters.waits(label) === null && !isMember(label)) throw outOfTopic();
      if (out.has(label)) throw outOfTopic();
      const isOver = roster !== null && (over.get(label) ?? -1) >= roster.generation;
      if (roster && !rosters.waits(label) && !isOver && rosters.staleness(label, chain) === null) {
        return { generation: roster.generation, key: roster.key };
      }
      want(label);
      throw new MeshError("waiting_for_key", "The topic's key is being renewed.", "It is sent by itself.");
    },
    ended(label, generation) {
      over.set(label, Math.max(over.get(label) ?? -1, generation));
      want(label);
    },
    look(fresh) {
      for (const label of topicKeys.labels()) {
        const version = rosters.newest(label)?.version ?? 0;
        const isNews = version > (seen.get(label) ?? version);
        seen.set(label, version);
        const isFollowed = labels.follows(label);
        const isKnown = rosters.current(label) !== null && rosters.waits(label) === null;
        const isFresh = fresh.has(label) || !labels.wasFollowed(label);
        if (isFresh || isKnown) out.delete(label);
        if (!isFollowed && (isFresh || (isKnown && isMember(label)))) {
          labels.follow(label, "").then(() => want(label), context.failed);
        } else if (isFollowed && (isFresh || !isKnown || !labels.isComplete(label))) want(label);
        // Keys come before the roster that they are for: only a newer one without me takes me out.
        else if (isFollowed && isNews && !isMember(label)) labels.unfollow(label);
      }
    },
  };
}

export function outOfTopic(): MeshError {
  return new MeshError(
    "not_in_topic",
    "You are no longer in the topic.",
    "Ask one of its members to add you.",
  );
}
