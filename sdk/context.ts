/** What the parts of one open workspace share. */
import { fromBase64url } from "#protocol/bytes.ts";
import type { ChainState } from "#protocol/chain/state.ts";
import { cellKey, labelsKey } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Face } from "#protocol/features/member.ts";
import type { LinkState } from "#protocol/features/workspace.ts";
import type { HelloAck } from "#protocol/frames.ts";
import { createRecordIds } from "#protocol/ids.ts";
import { generationOf, type SealedRecord } from "#protocol/record.ts";
import type { Events, MeshEvent } from "#protocol/registry.ts";
import type { Told } from "#protocol/signal.ts";
import type { Account } from "./account/account.ts";
import { type Condition, createCondition } from "./condition.ts";
import type { Applied, Feature, Index } from "./feature.ts";
import type { Asking } from "./membership/approvals.ts";
import { type Chain, type ChainView, loadChain } from "./membership/chain.ts";
import { createHeads, type Heads } from "./membership/heads.ts";
import type { InviteSecret } from "./membership/invite.ts";
import { createKeyring, type Keyring } from "./membership/keyring.ts";
import { namesOfMembers } from "./membership/member-names.ts";
import { createRosters, type Rosters } from "./membership/rosters.ts";
import { createSealer, type Sealer } from "./membership/seal.ts";
import { createTopicKeys, type TopicKeys } from "./membership/topic-keys.ts";
import { type Cells, createCells, outdone } from "./outgoing/cells.ts";
import type { PeerPorts } from "./ports.ts";
import { type Commits, createCommits } from "./replica/commits.ts";
import { openReplica, type RecordStatus, type Replica } from "./replica/replica.ts";

/** The device that a signal came from. */
export type Teller = { member: string; dev: string };

/** What a workspace tells whoever listens, after it is durable. */
export type Happening =
  /** `isNew`: not shown before. `isEcho`: said here, and now in its place in the log. */
  | { type: "applied"; event: MeshEvent; record: Applied; isNew: boolean; isEcho: boolean }
  | { type: "acked"; id: string }
  | { type: "chain"; before: ChainState | null; state: ChainState }
  | { type: "key" }
  /** Messages were marked as read here. */
  | { type: "read" }
  /** A session of this device did something. */
  | { type: "active" }
  /** That member is to hear what became of messages. */
  | { type: "owed"; member: string }
  /** A message goes to that one of my sessions. */
  | { type: "given"; sender: string; id: string; session: string }
  /** The join is done, or can't be: what was kept for it is of no more use. */
  | { type: "joined" }
  /** Somebody asks to join by an invite that was mailed from here. */
  | { type: "asked"; fresh: readonly Asking[] }
  /** Sessions of this device came, went or changed. */
  | { type: "sessions" }
  | { type: "told"; told: Told; from: Teller }
  | { type: "link"; state: LinkState }
  | { type: "peer"; member: string; online: boolean; face: Face | null; changed: boolean };

/** What the account keeps of a workspace. Null broker: it lives on this machine only. */
export type Membering = { id: string; broker: string | null; invite: InviteSecret | null };

/** Events that tell what somebody is called. */
const NAMING: ReadonlySet<string> = new Set(["member.profile", "topic.roster"]);

export type PutOutcome = "placed" | "conflict";

export type Context = {
  readonly ports: PeerPorts;
  readonly account: Account;
  readonly workspace: string;
  readonly me: string;
  readonly replica: Replica;
  readonly commits: Commits;
  readonly keyring: Keyring;
  readonly sealer: Sealer;
  readonly topicKeys: TopicKeys;
  readonly rosters: Rosters;
  readonly cells: Cells;
  readonly features: readonly Feature[];
  readonly changed: Condition;
  readonly newId: () => string;

  chain: Chain;
  /** The newest hello_ack while the link is up, else null. */
  greeting: HelloAck | null;
  /** Set until the join is in the chain. */
  invite: InviteSecret | null;
  /** From the log's start, or from a snapshot: what this device has said before isn't known to the full yet. */
  isCatchingUp: boolean;
  /** What colleagues' devices have signed for of the chain. */
  readonly heads: Heads;
  /** Why the workspace can't be used to the full: shown, and cleared when it passes. */
  trouble: MeshError | null;
  closed: boolean;
  /** Private topics with keys that are new: what waits for them is yet to be looked at. */
  readonly freshTopics: string[];

  tell(happening: Happening): void;
  /** Members' names, worked out anew when one of them or the membership has changed. */
  names(): ReadonlyMap<string, string>;
  forgetNames(): void;
  /** A put of one's own is in its place, or somebody else's came before it. */
  settle(id: string, outcome: PutOutcome): void;
  /** @throws MeshError conflict, timeout: the put stays in the outbox then */
  settled(id: string, ms: number): Promise<void>;
  failed(error: unknown): void;
  /** @throws MeshError unknown_workspace before the genesis is here */
  index(): Index;
  /** Whether the broker's log has every entry that is known here: before that nothing can be built on them. */
  isPlaced(): boolean;
  /**
   * `seq`: its place; null where it was judged before. `view`: the chain as of it, if that is at hand.
   * @throws MeshError for what says nothing
   */
  open(
    record: SealedRecord,
    seq: number | null,
    view?: ChainView,
  ): Promise<{ status: RecordStatus; event: MeshEvent | null }>;
};

export async function createContext(
  ports: PeerPorts,
  account: Account,
  membering: Membering,
  features: readonly Feature[],
  listener: (happening: Happening) => void,
): Promise<Context> {
  const { id: workspace, invite } = membering;
  const replica = openReplica(ports.openDatabase, workspace);
  const keyring = createKeyring(ports, workspace, account);
  const sealer = createSealer(ports, account, workspace, keyring);
  const topicKeys = createTopicKeys(ports, workspace, account, replica);
  const rosters = createRosters({
    ports,
    workspace,
    replica,
    keys: topicKeys,
    sealer,
    chain: () => context.chain.known.state,
  });
  const changed = createCondition(ports.timers);

  const awaited = new Map<string, PutOutcome | null>();
  let named: { state: ChainState | null; names: ReadonlyMap<string, string> } | null = null;

  /** A member's label, a private topic's, or one that the workspace's key names. */
  const cellKeyOf = (label: string, name: string): string | null => {
    if (context.chain.known.state?.members.has(label)) return keyring.ownCellKey(label, name);
    const first = topicKeys.first(label);
    return first ? cellKey(labelsKey(first), label, name) : keyring.cellKey(label, name);
  };

  const learnTopic = ({ label, keys }: Events["topic.keys"]) => {
    const handed = Object.entries(keys).map(
      ([generation, key]) => [Number(generation), fromBase64url(key)] as const,
    );
    if (topicKeys.learn(label, new Map(handed))) context.freshTopics.push(label);
  };

  /** A record of a private topic says what its author may say there. */
  const openTopic = async (record: SealedRecord, seq: number | null, view?: ChainView) => {
    const generation = generationOf(record.header) ?? 0;
    if (seq !== null) return rosters.open(record, seq, view?.state ?? null);
    return sealer.openUnder(topicKeys.candidates(record.header.to, generation), record);
  };

  const context: Context = {
    ports,
    account,
    workspace,
    me: account.user,
    replica,
    commits: createCommits(replica.db, ports.timers),
    keyring,
    sealer,
    topicKeys,
    rosters,
    cells: createCells(replica, cellKeyOf, account.user, ports.clock),
    features,
    changed,
    newId: createRecordIds(ports.clock, ports.random),
    chain: await loadChain(ports, replica, workspace),
    greeting: null,
    invite,
    isCatchingUp: false,
    heads: createHeads({
      state: () => context.chain.known.state,
      hashes: () => context.chain.known.hashes,
      cursor: replica.cursor,
      unplaced() {
        const { known, placed } = context.chain;
        const isWhole = context.greeting?.standing === "member" && !context.isCatchingUp;
        return isWhole ? known.hashes.length - placed.hashes.length : 0;
      },
    }),
    trouble: null,
    closed: false,
    freshTopics: [],
    names() {
      const { state } = context.chain.known;
      if (!named || named.state !== state) named = { state, names: namesOfMembers(replica.db, state) };
      return named.names;
    },
    forgetNames() {
      named = null;
    },
    tell(happening) {
      if (happening.type === "applied" && NAMING.has(happening.event.kind)) named = null;
      // What is told has happened: a listener that fails can't undo it, nor keep what follows from being taken in.
      try {
        listener(happening);
      } catch (error) {
        context.failed(error);
      }
      changed.notify();
    },
    settle(id, outcome) {
      if (awaited.has(id)) awaited.set(id, outcome);
      changed.notify();
    },
    async settled(id, ms) {
      awaited.set(id, null);
      const look = () => {
        if (awaited.get(id) === "conflict") throw outdone();
        return awaited.get(id) ?? null;
      };
      await changed.until(look, ms, "the broker to place a value").finally(() => awaited.delete(id));
    },
    failed: (error) => ports.log.error({ workspace, error: String(error) }, "a workspace's work failed"),
    index() {
      const { state } = context.chain.known;
      if (state) return { db: replica.db, me: account.user, chain: state };
      throw new MeshError(
        "unknown_workspace",
        "The workspace isn't here yet.",
        "Wait for the join to finish.",
      );
    },
    isPlaced: () => context.chain.placed.hashes.length === context.chain.known.hashes.length,
    async open(record, seq, view) {
      const { state } = view ?? context.chain.known;
      const { header } = record;
      const isTopics = generationOf(header) !== null;
      if (!isTopics && topicKeys.has(header.to)) throw notUnderTopic();
      const opened =
        state && (isTopics ? await openTopic(record, seq, view) : await sealer.open(state, record));
      if (!opened) return { status: "sealed", event: null };
      if (!opened.known) return { status: "unknown", event: null };
      const { event } = opened;
      if (event.kind === "topic.keys" && header.to === account.user) learnTopic(event);
      return { status: "applied", event };
    },
  };
  if (context.chain.known.state) await keyring.learn(context.chain.known.state);
  await rosters.load();
  return context;
}

function notUnderTopic(): MeshError {
  return new MeshError("bad_record", "The record isn't sealed under the topic's key.", "Drop it.");
}
