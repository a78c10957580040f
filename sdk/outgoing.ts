/** What goes out: said into the outbox, sealed when it is transmitted, settled by its echo or a refusal. */
import { currentEpoch } from "#protocol/chain/state.ts";
import { ERRORS, fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { ErrorFrame } from "#protocol/frames.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import type { Context } from "./context.ts";
import { applyEvent } from "./feature.ts";
import type { Membership } from "./membership.ts";
import { createOutbox } from "./outbox.ts";

const EPOCH_LIMIT_MS = 30_000;
const RETRY_MS = 1000;

export type Outgoing = {
  /** Into the outbox and the own indexes, in one commit; `also` joins that commit. The same id again changes nothing. */
  say(label: string, event: MeshEvent, id?: string, also?: () => void): string;
  pump(): void;
  linkUp(): void;
  linkDown(): void;
  acked(id: string): void;
  refused(frame: ErrorFrame & { id: string }): void;
};

export type OutgoingOwner = {
  transmit(records: readonly Uint8Array[]): void;
  wake(): void;
  propose: Membership["propose"];
};

export function createOutgoing(context: Context, owner: OutgoingOwner): Outgoing {
  const { ports, workspace, account, me, replica, keyring, sealer, features } = context;
  /** Epochs of what is under way, so that a refusal tells which epoch is over. */
  const sealedUnder = new Map<string, number>();
  let endedEpoch = -1;

  /** Sealing needs a link as a member, a verified chain, a fresh epoch and its key. Sets in motion what is missing. */
  const ready = (): boolean => {
    const { greeting, trouble, view } = context;
    const epoch = view.state && currentEpoch(view.state);
    if (greeting?.standing !== "member" || trouble || !view.state || !epoch || view.pending.length > 0)
      return false;
    const isVerified = view.state.head.height >= (greeting.chain?.height ?? 0);
    if (!isVerified || !keyring.workspaceKey(epoch.number)) return false;
    if (view.state.stale) {
      owner
        .propose(async (chain) => (chain.stale ? keyring.newEpoch(chain) : null), EPOCH_LIMIT_MS)
        .catch(context.failed);
      return false;
    }
    return epoch.number > endedEpoch;
  };

  /** Refused for good: an empty record takes its number, so that receivers don't see one withheld. */
  const refuse = (id: string, why: MeshError) => {
    const row = replica.outboxRow(id);
    if (!row) return;
    ports.log.warn({ workspace, id, code: why.code }, "a record was refused for good");
    const at = Math.floor(ports.clock.now());
    const receipt: MeshEvent = {
      kind: "receipt",
      states: [{ id, state: "refused", at, detail: why.message }],
    };
    replica.db.transaction(() => {
      if (row.event.kind === "void") replica.dequeue(id);
      else replica.replaceOutbox(id, context.newId(), { kind: "void" });
      const record = { id, from: row.label, dev: account.device.id, label: me, seq: null, at: null };
      applyEvent(features, context.index(), receipt, record);
    });
    outbox.rewind();
    context.changed.notify();
  };

  const outbox = createOutbox(
    replica,
    {
      ready,
      async seal(row) {
        const { state } = context.view;
        if (!state)
          throw new MeshError("waiting_for_key", "The chain isn't here yet.", "It comes with the link.");
        sealedUnder.set(row.id, currentEpoch(state)?.number ?? 0);
        return sealer.seal(state, row);
      },
      transmit: owner.transmit,
      refuse: (row, why) => refuse(row.id, why),
    },
    ports.log,
  );

  const isKnown = (id: string) =>
    replica.outboxRow(id) !== null ||
    replica.db.sql("SELECT 1 FROM records WHERE sender = ? AND id = ?").get(me, id) !== undefined;

  return {
    say(label, event, id = context.newId(), also = () => {}) {
      if (isKnown(id)) return id;
      const record = { id, from: me, dev: account.device.id, label, seq: null, at: null };
      replica.db.transaction(() => {
        replica.enqueue(id, label, event, Math.floor(ports.clock.now()));
        applyEvent(features, context.index(), event, record);
        also();
      });
      outbox.pump();
      owner.wake();
      context.tell({ type: "applied", event, record, isNew: true });
      return id;
    },
    pump: outbox.pump,
    linkUp() {
      sealedUnder.clear();
      outbox.linkUp();
    },
    linkDown: outbox.linkDown,
    acked(id) {
      sealedUnder.delete(id);
      outbox.acked(id);
      context.tell({ type: "acked", id });
    },
    refused(frame) {
      const error = fromErrorShape(frame);
      if (!ERRORS[error.code].retry) return refuse(frame.id, error);
      if (error.code === "stale_epoch") {
        endedEpoch = Math.max(endedEpoch, sealedUnder.get(frame.id) ?? -1);
        outbox.rewind();
      } else {
        ports.timers.after(frame.retryAfterMs ?? RETRY_MS, outbox.rewind);
      }
    },
  };
}
