/** What comes in: verified and opened records into the replica, the indexes and the cursor, in one transaction each batch. */
import type { ChainState } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { extend } from "./chain.ts";
import type { Context } from "./context.ts";
import { type Applied, applyEvent } from "./feature.ts";
import { appliedFrom, retryWaiting } from "./indexes.ts";
import type { Push } from "./link.ts";
import { type Batch, createSync, type Taken } from "./sync.ts";

export type Incoming = {
  push(push: Push): void;
  heartbeat(through: number): void;
  /** A link begins, or has ended: what wasn't applied comes again. */
  reset(): void;
  /** Takes in verified records of the past, which don't move the cursor. */
  takeHistory(taken: readonly Taken[]): Promise<void>;
};

export type IncomingOwner = {
  credit(records: number, bytes: number): void;
  /** The chain has moved on; keys are learned. */
  chainChanged(): void;
  /** The broker's chain can't be believed: the link has to end. */
  halt(): void;
  /** Something failed here: what isn't applied has to come again. */
  failed(): void;
};

export function createIncoming(context: Context, owner: IncomingOwner): Incoming {
  const { ports, workspace, me, replica, keyring, sealer, features } = context;
  /** How far this link's records are applied; as a member, that is the cursor. */
  let position = 0;

  const write = (batch: Batch) => {
    const fresh: { event: Taken["event"] & {}; record: Applied; isNew: boolean }[] = [];
    const chain = batch.view.state;
    replica.db.transaction(() => {
      for (const { seq, at, record, height, status, event } of batch.taken) {
        if (height !== null) {
          replica.putChain(height, seq, record.bytes);
          continue;
        }
        const { id, from: sender, to: label } = record.header;
        if (!replica.putRecord({ seq, at, status, bytes: record.bytes, sender, id, label })) continue;
        const isNew = !(sender === me && replica.dequeue(id));
        if (!event || !chain) continue;
        const applied = appliedFrom(record, { seq, at });
        applyEvent(features, { db: replica.db, me, chain }, event, applied);
        fresh.push({ event, record: applied, isNew });
      }
      for (const { seq, at, error } of batch.refused) replica.refuse(seq, error.code, at);
      // Before the join only the chain was pushed: the cursor would pass over everything else.
      if (batch.through > position && context.greeting?.standing === "member")
        replica.setCursor(batch.through);
    });
    position = Math.max(position, batch.through);
    return fresh;
  };

  const commit = async (batch: Batch) => {
    const before = context.view.state;
    const isExtended = batch.view !== context.view;
    const fresh = write(batch);
    context.view = batch.view;
    for (const { seq, error } of batch.refused)
      ports.log.warn({ workspace, seq, code: error.code }, "a record was refused");
    for (const one of fresh) context.tell({ type: "applied", ...one });
    if (isExtended && context.view.state) await afterChain(before, context.view.state);
  };

  const afterChain = async (before: ChainState | null, state: ChainState) => {
    if (await keyring.learn(state)) {
      const opened = await retryWaiting(replica, features, context.index(), context.open);
      for (const one of opened) context.tell({ type: "applied", ...one, isNew: true });
      context.tell({ type: "key" });
    }
    context.tell({ type: "chain", before, state });
    owner.chainChanged();
  };

  const sync = createSync(
    {
      view: () => context.view,
      cursor: () => position,
      extend: (view, record, seq) => extend(ports, workspace, view, record, seq),
      async verify({ state, hashes }, record, seq) {
        if (!state)
          throw new MeshError(
            "chain_invalid",
            "A record came before the genesis.",
            "Don't trust this broker.",
          );
        await sealer.verify(state, hashes, record, seq);
      },
      open: (view, record) => context.open(record, view),
      commit,
      credit: owner.credit,
      distrust(error) {
        context.trouble = error;
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
    takeHistory: (taken) => commit({ view: context.view, taken, refused: [], through: 0 }),
  };
}
