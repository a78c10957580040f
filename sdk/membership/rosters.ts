/**
 * Who is in which private topic, as this replica knows it. A topic's rosters name each other by their hashes, from the
 * first on, so that none can be missing unnoticed; they are judged in their order, and each by the chain as of its place.
 * What is said in the topic is judged by the roster at its place.
 */
import { admit } from "#protocol/chain/admit.ts";
import { activeMember, type ChainState, currentEpoch, heirOf, isInAt } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Log } from "#protocol/ports.ts";
import { decodeRecord, generationOf, isGuard, recordHash, type SealedRecord } from "#protocol/record.ts";
import { admitRoster, isInRoster, notInTopic, type Roster, type RosterFacts } from "#protocol/roster.ts";
import type { PeerPorts } from "../ports.ts";
import type { Replica } from "../replica/replica.ts";
import type { Opened, Sealer } from "./seal.ts";
import type { TopicKeys } from "./topic-keys.ts";

/** A roster in force from its place on, and the key of its generation. */
export type Standing = Roster & { seq: number; key: Uint8Array };

/** The newest of a topic's rosters in the log, in force or refused: what the next one replaces. */
export type Newest = { hash: string; version: number; generation: number };

export type Rosters = {
  /** The newest in force; null before the first is here. */
  current(label: string): Standing | null;
  newest(label: string): Newest | null;
  /** All in force, oldest first. */
  standings(label: string): readonly Standing[];
  /** Whether rosters are here that can't be judged: one before them is missing, or the key to them. */
  waits(label: string): "for others" | "for a key" | null;
  /** Why nothing may be sealed under the current generation; null when it may. */
  staleness(label: string, chain: ChainState): "left" | "lost" | null;
  /** Who was in by a roster that the broker's log has lost, and who was out. */
  lost(label: string): Lost | null;
  forgetLost(label: string): void;
  /**
   * What a record of a topic says, if its author was in. `state`: the chain as of the record, null: to be found out.
   * Null: it can't be told yet. @throws MeshError not_in_topic, not_allowed, bad_seal, …
   */
  open(record: SealedRecord, seq: number, state: ChainState | null): Promise<Opened | null>;
  /** Keys are new: what waited for them is judged. */
  advance(label: string): Promise<void>;
  /** From the replica. */
  load(): Promise<void>;
  /** The broker has another log: rosters come again, as far as it has them. */
  displaced(): void;
};

export type Lost = { members: ReadonlyMap<string, string>; out: ReadonlySet<string> };

type Pending = { record: SealedRecord; seq: number; state: ChainState | null };

type Topic = {
  standings: Standing[];
  newest: Newest | null;
  /** By place. */
  pending: Pending[];
  /** By hash: null for one in force. */
  verdicts: Map<string, MeshError | null>;
  waits: "for others" | "for a key" | null;
  lost: Lost | null;
};

type RostersOwner = {
  ports: Pick<PeerPorts, "curves"> & { log: Log };
  workspace: string;
  replica: Replica;
  keys: TopicKeys;
  sealer: Pick<Sealer, "openUnder">;
  chain(): ChainState | null;
};

export function createRosters(owner: RostersOwner): Rosters {
  const { ports, replica, keys, sealer, workspace } = owner;
  const topics = new Map<string, Topic>();

  const topicOf = (label: string): Topic => {
    const known = topics.get(label);
    if (known) return known;
    const made: Topic = {
      standings: [],
      newest: null,
      pending: [],
      verdicts: new Map(),
      waits: null,
      lost: null,
    };
    topics.set(label, made);
    return made;
  };

  /** The chain as it was at a place; its signatures were verified when it was taken in. */
  const chainAt = async (seq: number): Promise<ChainState | null> => {
    const curves = { ...ports.curves, verify: async () => true };
    let state: ChainState | null = null;
    for (const entry of replica.chain()) {
      if (entry.seq === null || entry.seq >= seq) break;
      state = await admit(curves, workspace, state, decodeRecord(entry.bytes), entry.seq);
    }
    return state;
  };

  const judge = async (
    topic: Topic,
    { record, seq, state }: Pending,
    opened: Opened & { key: Uint8Array },
  ) => {
    const { header } = record;
    const event = opened.known ? opened.event : null;
    const chain = state ?? (await chainAt(seq));
    if (!chain || !header.put || event?.kind !== "topic.roster")
      throw new MeshError("bad_record", "A topic's roster says something else.", "Drop it.");
    const claim = {
      from: header.from,
      epoch: header.epoch,
      put: header.put,
      generation: generationOf(header) ?? 0,
      name: event.name,
      members: new Map(Object.entries(event.members)),
    };
    const before = topic.standings.at(-1) ?? null;
    const roster = admitRoster(before, claim, factsOf(chain, owner.chain() ?? chain, seq));
    topic.standings.push({ ...roster, seq, key: opened.key });
  };

  const advanceNow = async (label: string) => {
    const topic = topicOf(label);
    topic.waits = null;
    for (;;) {
      const next = topic.pending[0];
      if (!next) return;
      const { record, seq } = next;
      const { header, bytes } = record;
      if (header.put?.expect !== (topic.newest?.hash ?? null)) {
        topic.waits = "for others";
        return;
      }
      const hash = recordHash(bytes);
      const generation = generationOf(header) ?? 0;
      try {
        const before = topic.standings.at(-1);
        const today = owner.chain();
        if (before && today && !isInRoster(before, header.from, heirsIn(today))) throw notInTopic();
        const opened = await sealer.openUnder(keys.candidates(label, generation), record);
        if (!opened) {
          topic.waits = "for a key";
          return;
        }
        await judge(topic, next, opened);
        topic.verdicts.set(hash, null);
        const now = topic.standings.at(-1);
        if (now && topic.lost && !differs(now, topic.lost)) topic.lost = null;
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        topic.verdicts.set(hash, error);
        replica.refuse(seq, error.code, 0);
        ports.log.warn({ workspace, seq, code: error.code }, "a topic's roster was refused");
      }
      topic.newest = { hash, version: header.put.version, generation };
      topic.pending.shift();
    }
  };

  /** One after the other: each roster is judged by the one before. */
  let advancing: Promise<void> = Promise.resolve();
  const advance = (label: string) => {
    advancing = advancing.catch(() => {}).then(() => advanceNow(label));
    return advancing;
  };

  const wait = (label: string, one: Pending) => {
    const topic = topicOf(label);
    const hash = recordHash(one.record.bytes);
    if (topic.verdicts.has(hash) || topic.pending.some(({ seq }) => seq === one.seq)) return;
    topic.pending = [...topic.pending, one].sort((a, b) => a.seq - b.seq);
  };

  const openRoster = async (record: SealedRecord, seq: number, state: ChainState | null) => {
    const label = record.header.to;
    wait(label, { record, seq, state });
    await advance(label);
    const verdict = topicOf(label).verdicts.get(recordHash(record.bytes));
    if (verdict === undefined) return null;
    // A refused one is kept too: the next names it.
    if (verdict) return { known: true as const, event: { kind: "void" as const } };
    return sealer.openUnder(keys.candidates(label, generationOf(record.header) ?? 0), record);
  };

  return {
    current: (label) => topics.get(label)?.standings.at(-1) ?? null,
    newest: (label) => topics.get(label)?.newest ?? null,
    standings: (label) => topics.get(label)?.standings ?? [],
    waits: (label) => topics.get(label)?.waits ?? null,
    lost: (label) => topics.get(label)?.lost ?? null,
    forgetLost(label) {
      topicOf(label).lost = null;
      replica.forgetLostGuards(label);
    },
    staleness(label, chain) {
      const { standings, newest, lost } = topicOf(label);
      const roster = standings.at(-1);
      if (!roster) return null;
      if (lost && differs(roster, lost)) return "lost";
      const isBehind =
        roster.epoch < (currentEpoch(chain)?.number ?? 0) || newest?.version !== roster.version;
      const isOut = (member: string) => activeMember(chain, heirOf(chain, member)) === undefined;
      const hasLeft = !isInRoster(roster, roster.by, heirsIn(chain));
      return isBehind || hasLeft || [...roster.members.keys()].some(isOut) ? "left" : null;
    },
    async open(record, seq, state) {
      const { header } = record;
      if (isGuard(header)) return openRoster(record, seq, state);
      const { standings, pending } = topicOf(header.to);
      const chain = owner.chain();
      if (!chain || pending.some((one) => one.seq < seq) || standings.length === 0) return null;
      const roster = standings.findLast((one) => one.seq < seq);
      const isFitting = roster && roster.generation === generationOf(header);
      if (!isFitting || !isInRoster(roster, header.from, heirsIn(chain))) throw notInTopic();
      const opened = await sealer.openUnder([roster.key], record);
      if (opened) return opened;
      throw new MeshError("bad_seal", "The record isn't sealed under the topic's key.", "Drop it.");
    },
    advance,
    async load() {
      for (const label of keys.labels()) {
        const gone: Standing[] = [];
        for (const { seq, bytes } of replica.guards(label)) {
          const record = decodeRecord(bytes);
          const generation = generationOf(record.header) ?? 0;
          if (seq !== null) wait(label, { record, seq, state: null });
          const opened =
            seq === null ? await sealer.openUnder(keys.candidates(label, generation), record) : null;
          if (opened?.known && opened.event.kind === "topic.roster")
            gone.push(lostStanding(record, opened.event, opened.key));
        }
        await advance(label);
        topicOf(label).lost = lostOf(gone, topicOf(label).standings);
      }
    },
    displaced() {
      for (const [label, { standings, lost }] of [...topics]) {
        topics.delete(label);
        topicOf(label).lost = lostOf(standings, []) ?? lost;
      }
    },
  };
}

function heirsIn(chain: ChainState) {
  return { heirOf: (member: string) => heirOf(chain, member) };
}

/** Roles and devices as of the place; who is whose heir, as of today. */
function factsOf(chain: ChainState, today: ChainState, seq: number): RosterFacts {
  return {
    ...heirsIn(today),
    isIn: (member) =>
      [...today.devices.values()].some(
        (device) => heirOf(today, device.member) === heirOf(today, member) && isInAt(device, seq),
      ),
    mayRemove(member) {
      const role = chain.members.get(member)?.role;
      return role === "owner" || role === "admin";
    },
  };
}

function lostStanding(
  { header }: SealedRecord,
  event: { name: string; members: Record<string, string> },
  key: Uint8Array,
): Standing {
  const { from: by, epoch, put } = header;
  const members = new Map(Object.entries(event.members));
  const generation = generationOf(header) ?? 0;
  return {
    name: event.name,
    founder: by,
    members,
    generation,
    epoch,
    version: put?.version ?? 0,
    by,
    key,
    seq: 0,
  };
}

/** What was known beyond the rosters that are in the log now. */
function lostOf(gone: readonly Standing[], now: readonly Standing[]): Lost | null {
  const last = gone.at(-1);
  if (!last || last.version <= (now.at(-1)?.version ?? 0)) return null;
  const ever = new Set([...gone, ...now].flatMap(({ members }) => [...members.keys()]));
  return { members: last.members, out: new Set([...ever].filter((member) => !last.members.has(member))) };
}

function differs({ members }: Roster, lost: Lost): boolean {
  return (
    [...lost.out].some((member) => members.has(member)) ||
    [...lost.members.keys()].some((one) => !members.has(one))
  );
}
