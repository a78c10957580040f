/** What goes out: said into the outbox, sealed when it is transmitted, settled by its echo or a refusal. */
import { type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { ERRORS, fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { ErrorFrame } from "#protocol/frames.ts";
import { decodeRecord, recordHash } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import type { Context } from "../context.ts";
import { applyEvent } from "../feature.ts";
import type { TopicChanges } from "../membership/topic-changes.ts";
import type { OutboxRow, PutOrder } from "../replica/replica.ts";
import { isGone, requireHolder } from "./answers.ts";
import { outdone } from "./cells.ts";
import { createOutbox } from "./outbox.ts";

const RETRY_MS = 1000;

export type Outgoing = {
  /**
   * Into the outbox and the own indexes, in one commit, which what is said in the same turn shares; `also` joins it. Resolves
   * with the id once it is durable. The same id again changes nothing.
   */
  say(label: string, event: MeshEvent, id?: string, also?: () => void): Promise<string>;
  /**
   * Into the outbox: a value for a cell of the label. An own one enters the indexes at once, nobody else can be first;
   * another once the broker has placed it.
   */
  put(label: string, order: PutOrder, event: MeshEvent, id?: string): string;
  /** The put `id` came too late: the broker shows what its cell holds. */
  outdone(conflict: Conflict): Promise<void>;
  pump(): void;
  /** A private topic has another key or other members: what waited for that is looked at again. */
  rewind(): void;
  linkUp(): void;
  linkDown(): void;
  acked(id: string, seq: number): void;
  /** The cursor has moved on: what was committed below it and hasn't come back won't come back. */
  cursorMoved(): void;
  refused(frame: ErrorFrame & { id: string }): void;
};

export type Conflict = { id: string; seq: number; live: boolean; record: Uint8Array };

export type OutgoingOwner = {
  transmit(records: readonly Uint8Array[]): void;
  wake(): void;
  ready(): boolean;
  topics: Pick<TopicChanges, "sealing" | "ended">;
  /** Connects anew: the broker waits for a record that won't come. */
  renew(): void;
  /** The broker has answered what can't be. */
  distrust(why: MeshError): void;
};

export function createOutgoing(context: Context, owner: OutgoingOwner): Outgoing {
  const { ports, workspace, account, me, replica, commits, topicKeys, sealer, cells, features } = context;
  /** Epochs, or a topic's generations, of what is under way, so that a refusal tells which one is over. */
  const sealedUnder = new Map<string, number>();
  /** Refused for now: the broker drops what follows until it returns. */
  let awaited: string | null = null;
  let endedEpoch = -1;
  /** Sequences of what the broker says it has committed, until it shows it there. */
  const ackedAt = new Map<string, number>();
  /** Puts as they were transmitted on this link. */
  const underWay = new Map<string, Uint8Array>();

  const ready = () => {
    const { state } = context.chain.placed;
    return owner.ready() && (state ? (currentEpoch(state)?.number ?? 0) : 0) > endedEpoch;
  };

  /** Sent again, it is the same record: what was sealed after it may expect exactly this one. */
  const sealPut = async (
    state: ChainState,
    row: OutboxRow,
    order: PutOrder,
    under: ReturnType<TopicChanges["sealing"]> | null,
  ): Promise<Uint8Array> => {
    const put = cells.putOf(row.label, order);
    const record = underWay.get(row.id) ?? (await sealer.seal(state, { ...row, put, under }));
    underWay.set(row.id, record);
    cells.sealed(row.label, decodeRecord(record).header.put ?? put, recordHash(record));
    return record;
  };

  /** A put takes no number, so nothing has to fill its place. */
  const settlePut = (id: string, why: MeshError) => {
    replica.dequeue(id);
    underWay.delete(id);
    outbox.acked(id);
    ports.log.info({ workspace, id, code: why.code }, "a put was refused");
    context.settle(id, "conflict");
  };

  /** Refused for good: an empty record takes its number, so that receivers don't see one withheld. */
  const refuse = (id: string, why: MeshError) => {
    const row = replica.outboxRow(id);
    if (!row) return;
    if (awaited === id) owner.renew();
    if (row.put) return settlePut(id, why);
    const isOut = why.code === "not_in_topic";
    ports.log.warn({ workspace, id, code: why.code }, "a record was refused for good");
    const at = Math.floor(ports.clock.now());
    const receipt: MeshEvent = {
      kind: "receipt",
      states: [{ id, state: "refused", at, detail: why.message }],
    };
    replica.db.transaction(() => {
      if (row.event.kind === "void" || isOut) replica.dequeue(id);
      else replica.replaceOutbox(id, context.newId(), { kind: "void" });
      const record = {
        id,
        from: row.label,
        dev: account.device.id,
        label: me,
        seq: null,
        at: null,
        put: null,
      };
      applyEvent(features, context.index(), receipt, record);
    });
    if (isOut) replica.renumberLabel(row.label, account.device.id);
    outbox.rewind();
    context.changed.notify();
  };

  const outbox = createOutbox(
    replica,
    {
      ready,
      async seal(row) {
        const { state } = context.chain.placed;
        if (!state)
          throw new MeshError("waiting_for_key", "The chain isn't here yet.", "It comes with the link.");
        const under = topicKeys.has(row.label) ? owner.topics.sealing(row.label) : null;
        sealedUnder.set(row.id, under?.generation ?? currentEpoch(state)?.number ?? 0);
        return row.put
          ? sealPut(state, row, row.put, under)
          : sealer.seal(state, { ...row, put: null, under });
      },
      canWait: (label) => topicKeys.has(label),
      transmit: owner.transmit,
      refuse: (row, why) => refuse(row.id, why),
    },
    ports.log,
  );

  /** Everything up to the cursor is here: what was committed below it and isn't won't come. It stays, for another link. */
  const lookForEchoes = () => {
    for (const [id, seq] of ackedAt) {
      if (seq > replica.cursor()) continue;
      ackedAt.delete(id);
      const row = replica.outboxRow(id);
      if (!row) continue;
      if (isGone(context, row, seq)) {
        replica.dequeue(id);
        context.settle(id, "placed");
      } else {
        ports.log.warn({ workspace, id, seq, code: "not_stored" }, "acknowledged, and not in the log");
        replica.refuse(seq, "not_stored", ports.clock.now());
      }
    }
  };

  const isKnown = (id: string) =>
    replica.outboxRow(id) !== null ||
    replica.db.sql("SELECT 1 FROM records WHERE sender = ? AND id = ?").get(me, id) !== undefined;

  return {
    async say(label, event, id = context.newId(), also = () => {}) {
      const record = { id, from: me, dev: account.device.id, label, seq: null, at: null, put: null };
      const isNew = await commits.commit(() => {
        if (isKnown(id)) return false;
        replica.enqueue(id, label, event, null, Math.floor(ports.clock.now()));
        applyEvent(features, context.index(), event, record);
        also();
        return true;
      });
      if (!isNew) return id;
      outbox.pump();
      owner.wake();
      context.tell({ type: "applied", event, record, isNew: true, isEcho: false });
      return id;
    },
    put(label, order, event, id = context.newId()) {
      if (isKnown(id)) return id;
      const at = Math.floor(ports.clock.now());
      const put = cells.provisional(label, order);
      const record = { id, from: me, dev: account.device.id, label, seq: null, at: null, put };
      replica.db.transaction(() => {
        replica.enqueue(id, label, event, order, at);
        if (put) applyEvent(features, context.index(), event, record);
      });
      outbox.pump();
      owner.wake();
      if (put) context.tell({ type: "applied", event, record, isNew: true, isEcho: false });
      return id;
    },
    async outdone({ id, seq, live, record: bytes }) {
      const row = replica.outboxRow(id);
      const record = decodeRecord(bytes);
      const { header } = record;
      try {
        const ours = underWay.get(id);
        if (row && ours) await requireHolder(context, row, decodeRecord(ours), { seq, record });
      } catch (error) {
        if (!(error instanceof MeshError)) return context.failed(error);
        if (error.code !== "timeout") replica.refuse(seq, error.code, ports.clock.now());
        return owner.distrust(error);
      }
      // It may have been settled meanwhile.
      if (!row?.put || !header.put || !underWay.has(id)) return;
      cells.learned(
        row.label,
        { ...header.put, own: row.put.own },
        {
          version: header.put.version,
          hash: recordHash(bytes),
          live,
        },
      );
      underWay.delete(id);
      if (row.put.expect === "any") outbox.rewind();
      else settlePut(id, outdone());
    },
    pump: outbox.pump,
    rewind: outbox.rewind,
    linkUp() {
      sealedUnder.clear();
      ackedAt.clear();
      underWay.clear();
      cells.forget();
      awaited = null;
      outbox.linkUp();
    },
    linkDown: outbox.linkDown,
    acked(id, seq) {
      sealedUnder.delete(id);
      if (awaited === id) awaited = null;
      if (replica.outboxRow(id)) ackedAt.set(id, seq);
      outbox.acked(id);
      lookForEchoes();
      context.tell({ type: "acked", id });
    },
    cursorMoved: lookForEchoes,
    refused(frame) {
      const error = fromErrorShape(frame);
      const row = replica.outboxRow(frame.id);
      if (row?.put?.expect === "any" && error.code === "conflict") {
        // Nothing is there, though something was: it expired, or a restored log never had it.
        underWay.delete(row.id);
        cells.learned(row.label, cells.putOf(row.label, row.put), null);
        return outbox.rewind();
      }
      if (!ERRORS[error.code].retry) return refuse(frame.id, error);
      if (!row) return owner.renew();
      awaited ??= frame.id;
      if (error.code === "stale_epoch" && topicKeys.has(row.label)) {
        owner.topics.ended(row.label, sealedUnder.get(frame.id) ?? -1);
        underWay.clear();
        outbox.rewind();
      } else if (error.code === "stale_epoch") {
        endedEpoch = Math.max(endedEpoch, sealedUnder.get(frame.id) ?? -1);
        underWay.clear();
        outbox.rewind();
      } else {
        ports.timers.after(frame.retryAfterMs ?? RETRY_MS, outbox.rewind);
      }
    },
  };
}
