/** What the parts of one open workspace share. */
import type { ChainState } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Face } from "#protocol/features/member.ts";
import type { LinkState } from "#protocol/features/workspace.ts";
import type { HelloAck } from "#protocol/frames.ts";
import { createRecordIds } from "#protocol/ids.ts";
import type { SealedRecord } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import type { Told } from "#protocol/signal.ts";
import type { Account } from "./account/account.ts";
import { type Condition, createCondition } from "./condition.ts";
import type { Applied, Feature, Index } from "./feature.ts";
import type { Asking } from "./membership/approvals.ts";
import { type Chain, type ChainView, loadChain } from "./membership/chain.ts";
import type { InviteSecret } from "./membership/invite.ts";
import { createKeyring, type Keyring } from "./membership/keyring.ts";
import { namesOfMembers } from "./membership/member-names.ts";
import { createSealer, type Sealer } from "./membership/seal.ts";
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
  /** A message for any of my sessions goes to that one. */
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
  /** Height of the chain that a colleague signed for: nothing is sealed before it is here too. */
  claimedHeight: number;
  /** Why the workspace can't be used to the full: shown, and cleared when it passes. */
  trouble: MeshError | null;
  closed: boolean;

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
  /** `view`: the chain as of the record; today's without it. */
  open(record: SealedRecord, view?: ChainView): Promise<{ status: RecordStatus; event: MeshEvent | null }>;
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
  const changed = createCondition(ports.timers);

  const awaited = new Map<string, PutOutcome | null>();
  let named: { state: ChainState | null; names: ReadonlyMap<string, string> } | null = null;

  const context: Context = {
    ports,
    account,
    workspace,
    me: account.user,
    replica,
    commits: createCommits(replica.db, ports.timers),
    keyring,
    sealer,
    cells: createCells(replica, keyring, account.user, ports.clock),
    features,
    changed,
    newId: createRecordIds(ports.clock, ports.random),
    chain: await loadChain(ports, replica, workspace),
    greeting: null,
    invite,
    isCatchingUp: false,
    claimedHeight: 0,
    trouble: null,
    closed: false,
    names() {
      const { state } = context.chain.known;
      if (!named || named.state !== state) named = { state, names: namesOfMembers(replica.db, state) };
      return named.names;
    },
    forgetNames() {
      named = null;
    },
    tell(happening) {
      if (happening.type === "applied" && happening.event.kind === "member.profile") named = null;
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
    async open(record, { state } = context.chain.known) {
      const opened = state && (await sealer.open(state, record));
      if (!opened) return { status: "sealed", event: null };
      return opened.known ? { status: "applied", event: opened.event } : { status: "unknown", event: null };
    },
  };
  if (context.chain.known.state) await keyring.learn(context.chain.known.state);
  return context;
}
