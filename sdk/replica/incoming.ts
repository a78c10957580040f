/** What comes in: verified and opened records into the replica, the indexes and the cursor, in one transaction each batch. */
import type { ChainState } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { isGuard } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import type { Context } from "../context.ts";
import { type Applied, applyEvent, applyStep } from "../feature.ts";
import type { Push } from "../link/link.ts";
import { extend } from "../membership/chain.ts";
import { bar } from "../membership/grants.ts";
import { appliedFrom, retryWaiting } from "./indexes.ts";
import { keepRecord, replayed } from "./records.ts";
import type { Resume } from "./resume.ts";
import { type Batch, createSync, type Taken } from "./sync.ts";

export type Incoming = {
  push(push: Push): void;
  heartbeat(through: number): void;
  /** A link begins, or has ended: what wasn't applied comes again. */
  reset(): void;
  /** A seed is new: what waits for it is opened. */
  keysChanged(): Promise<void>;
  /** What a member said while they might not write is shown. */
  unbar(member: string): Promise<void>;
  /** Takes in verified records of the past, which don't move the cursor. */
  takeHistory(taken: readonly Taken[]): Promise<void>;
};

/** What was taken in and hasn't been told yet. */
type Fresh = { event: MeshEvent; record: Applied; isNew: boolean; isEcho: boolean };

export type IncomingOwner = {
  resume: Resume;
  credit(records: number, bytes: number): void;
  /** The cursor is further than it was. */
  moved(): void;
  /** Something of this device's has found its place. */
  placed(): void;
  /** The chain has moved on; keys are learned. */
  chainChanged(): void;
  /** Members of private topics are others now; `fresh`: those of which keys are new. */
  topicsChanged(fresh: ReadonlySet<string>): void;
  /** The broker's chain can't be believed: the link has to end. */
  halt(): void;
  /** Something failed here: what isn't applied has to come again. */
  failed(): void;
};

export function createIncoming(context: Context, owner: IncomingOwner): Incoming {
  const { ports, workspace, me, replica, keyring, sealer, features } = context;
  const { resume } = owner;
  /** How far this link's records are applied; as a member, that is the cursor. */
  let position = 0;

  /** Inside the transaction: answers what is to be told of the record, if anything. */
  const keep = (
    chain: ChainState,
    echoes: string[],
    told: Set<string>,
    { seq, at, record, status, event }: Taken,
  ): Fresh | null => {
    const { id, from: sender } = record.header;
    const applied = appliedFrom(record, { seq, at });
    const barred = event && bar(replica.db, me, event, applied);
    const keeping = keepRecord(replica.db, { seq, at, record, status: barred ?? status });
    const isEcho = sender === me && replica.dequeue(id);
    if (isEcho) echoes.push(id);
    resume.confirm(sender, id);
    if (keeping === "new" && barred === "refused") told.add(sender);
    if (keeping === "known" || keeping === "outdated" || !event || barred) return null;
    applyEvent(features, { db: replica.db, me, chain }, event, applied);
    // A put to a shared cell enters with its echo: until then somebody else may have won.
    const isShown = isEcho && applied.put?.own !== false;
    return { event, record: applied, isNew: keeping === "new" && !isShown, isEcho };
  };

  const write = (batch: Batch) => {
    const fresh: Fresh[] = [];
    const echoes: string[] = [];
    /** Who is to hear that their message was refused. */
    const told = new Set<string>();
    const refused = [...batch.refused];
    const chain = batch.view.state;
    replica.db.transaction(() => {
      for (const taken of batch.taken) {
        const { seq, at, record, height, step } = taken;
        if (height !== null) replica.putChain(height, seq, record.bytes);
        if (step && chain) applyStep(features, { db: replica.db, me, chain }, step);
        if (height !== null || !chain) continue;
        try {
          const one = keep(chain, echoes, told, taken);
          if (one) fresh.push(one);
        } catch (error) {
          if (!(error instanceof MeshError)) throw error;
          refused.push({ seq, at, error });
        }
      }
      for (const { seq, at, error } of refused) replica.refuse(seq, error.code, at);
      // Before the join only the chain was pushed: the cursor would pass over everything else.
      const isMoved = batch.through > position && context.greeting?.standing === "member";
      if (isMoved && (resume.keepsCursor() || resume.isDue(batch.through))) replica.setCursor(batch.through);
    });
    position = Math.max(position, batch.through);
    return { fresh, refused, echoes, told };
  };

  const commit = async (batch: Batch) => {
    const { known, placed } = context.chain;
    const { fresh, refused, echoes, told } = write(batch);
    const isLonger = batch.view.hashes.length >= known.hashes.length;
    context.chain = { placed: batch.view, known: isLonger ? batch.view : known };
    for (const { seq, error } of refused)
      ports.log.warn({ workspace, seq, code: error.code }, "a record was refused");
    for (const one of fresh) context.tell({ type: "applied", ...one });
    for (const member of told) context.tell({ type: "owed", member });
    for (const id of echoes) context.settle(id, "placed");
    if (echoes.length > 0) owner.placed();
    owner.moved();
    context.changed.notify();
    const { state } = context.chain.known;
    if (batch.view !== placed && state) await afterChain(known.state, state);
    await topicsMoved(batch.taken);
    if (resume.isDue(batch.through)) await resume.finish();
  };

  const openWaiting = async () => {
    const opened = await retryWaiting(replica, features, context.index(), context.open);
    for (const one of opened) context.tell({ type: "applied", ...one, isNew: true, isEcho: false });
    context.tell({ type: "key" });
  };

  /** With a key or a roster, what was said in a topic before it came can be judged. */
  const topicsMoved = async (taken: readonly Taken[]) => {
    const fresh = context.freshTopics.splice(0);
    for (const label of fresh) await context.rosters.advance(label);
    if (fresh.length === 0 && !taken.some(({ record }) => isGuard(record.header))) return;
    await openWaiting();
    owner.topicsChanged(new Set(fresh));
  };

  const afterChain = async (before: ChainState | null, state: ChainState) => {
    if (await keyring.learn(state)) await openWaiting();
    context.tell({ type: "chain", before, state });
    owner.chainChanged();
  };

  const sync = createSync(
    {
      view: () => context.chain.placed,
      cursor: () => position,
      async extend(view, record, seq) {
        const extended = await extend(ports, workspace, view, context.chain.known, record, seq);
        const place = extended.view === view ? replica.chainSequence(extended.height) : null;
        // When somebody left is said by the place of the entry.
        if (place !== null && place !== seq) throw replayed();
        return extended;
      },
      async verify({ state, hashes }, record, seq) {
        if (!state)
          throw new MeshError(
            "chain_invalid",
            "A record came before the genesis.",
            "Don't trust this broker.",
          );
        try {
          await sealer.verify(state, hashes, record, seq);
        } catch (error) {
          const { dev, head } = record.header;
          // Its signature holds: the device does stand on another chain than we do.
          const isElsewhere = error instanceof MeshError && error.code.startsWith("chain_");
          if (isElsewhere && head) context.heads.claimed(dev, head, seq);
          throw error;
        }
      },
      open: (view, record, seq) => context.open(record, seq, view),
      commit,
      credit: owner.credit,
      distrust(error, where) {
        context.trouble = error;
        // Kept, so that it is told after a restart too, and by a broker that behaves from now on.
        if (where) replica.refuse(where.seq, error.code, where.at);
        ports.log.error(
          { workspace, code: error.code },
          "the broker's chain can't be believed; the workspace is halted",
        );
        owner.halt();
        context.tell({ type: "link", state: "offline" });
      },
    },
    (error) => {
      context.failed(error);
      owner.failed();
    },
  );

  return {
    push: sync.push,
    heartbeat: sync.heartbeat,
    reset() {
      sync.reset();
      position = context.greeting?.standing === "member" ? replica.cursor() : 0;
    },
    async keysChanged() {
      const { state } = context.chain.known;
      if (!state) return;
      await keyring.learn(state);
      await openWaiting();
      owner.chainChanged();
    },
    async unbar(member) {
      if (replica.unbar(member)) await openWaiting();
    },
    takeHistory: (taken) => commit({ view: context.chain.placed, taken, refused: [], through: 0 }),
  };
}
