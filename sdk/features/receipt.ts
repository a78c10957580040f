/** Receipts: told to senders at most once a second each, and shown for what was sent. */
import type { DeliveryState } from "#protocol/features/message.ts";
import { type ReceiptState, receiptState } from "#protocol/features/receipt.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import { memberNames } from "../messages/names.ts";
import type { Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

const INTERVAL_MS = 1000;
const MOST_AT_ONCE = 500;

export const receipt: Feature = {
  name: "receipt",
  tables: `
    CREATE TABLE receipts (
      id TEXT NOT NULL, member TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, detail TEXT,
      PRIMARY KEY (id, member, state)
    ) STRICT;
  `,
  apply: {
    receipt({ db, me }, { states }, { from }) {
      for (const { id, state, at, detail } of states) {
        // Only who a message was for can say what became of it.
        const mine = db
          .sql("SELECT 1 FROM messages WHERE sender = ? AND id = ? AND label = ?")
          .get(me, id, from);
        if (!mine) continue;
        db.sql(
          "INSERT INTO receipts (id, member, state, at, detail) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ).run(id, from, state, at, detail ?? null);
      }
    },
  },
};

/** Sends what is due: the first at once, further ones of the same second together. */
export function createReceiptSender(peer: Peer) {
  const nextAllowed = new Map<string, number>();
  const scheduled = new Set<string>();

  const flush = ({ workspace }: Opened, member: string) => {
    const { db } = workspace.replica;
    const due = db
      .sql("SELECT id, state, at, detail FROM receipts_due WHERE member = ? AND sent = 0 LIMIT ?")
      .all(member, MOST_AT_ONCE);
    if (due.length === 0 || !workspace.isMember()) return;
    const states = due.map((row) => ({
      id: String(row.id),
      state: receiptState.parse(row.state),
      at: Number(row.at),
      ...(row.detail === null ? {} : { detail: String(row.detail) }),
    }));
    const markSent = () => {
      for (const { id, state } of states) {
        db.sql("UPDATE receipts_due SET sent = 1 WHERE id = ? AND state = ?").run(id, state);
      }
    };
    workspace.say(member, { kind: "receipt", states }, undefined, markSent).catch(workspace.failed);
  };

  const soon = (opened: Opened, member: string) => {
    const key = `${opened.workspace.id}/${member}`;
    if (scheduled.has(key)) return;
    const wait = Math.max(0, (nextAllowed.get(key) ?? 0) - peer.now());
    const run = () => {
      scheduled.delete(key);
      nextAllowed.set(key, peer.now() + INTERVAL_MS);
      if (!opened.workspace.isClosed()) flush(opened, member);
    };
    if (wait === 0) return run();
    scheduled.add(key);
    peer.ports.timers.after(wait, run);
  };

  return (opened: Opened, happening: Happening) => {
    const { workspace } = opened;
    if (
      happening.type === "applied" &&
      happening.event.kind === "message" &&
      happening.record.label === workspace.me
    ) {
      if (happening.record.seq !== null) soon(opened, happening.record.from);
    }
    if (happening.type === "refused") soon(opened, happening.member);
    if (happening.type === "link" && happening.state === "online") {
      for (const row of workspace.replica.db
        .sql("SELECT DISTINCT member FROM receipts_due WHERE sent = 0")
        .all()) {
        soon(opened, String(row.member));
      }
    }
  };
}

const ORDER: readonly DeliveryState[] = [
  "queued",
  "stored",
  "delivered",
  "handed over",
  "seen",
  "answered",
  "held",
  "expired",
  "refused",
];

export function stateOf(workspace: Workspace, id: string): DeliveryState {
  const rows = workspace.replica.db
    .sql(
      `SELECT state FROM receipts WHERE id = ?1
       UNION ALL SELECT 'stored' FROM messages WHERE sender = ?2 AND id = ?1 AND at IS NOT NULL`,
    )
    .all(id, workspace.me);
  const states = rows.map(({ state }) => state);
  return ORDER.findLast((state) => states.includes(state)) ?? "queued";
}

/** Everything that is known of an own message, in order. */
export function receiptsOf(workspace: Workspace, id: string) {
  const { db } = workspace.replica;
  const row = db
    .sql("SELECT to_text, sent_at, at FROM messages WHERE sender = ? AND id = ?")
    .get(workspace.me, id);
  const names = memberNames(workspace);
  const iso = (ms: unknown) => new Date(Number(ms)).toISOString();
  const told = db
    .sql("SELECT member, state, at, detail FROM receipts WHERE id = ? ORDER BY at")
    .all(id)
    .map((receipt) => ({
      state: toState(receipt.state),
      at: iso(receipt.at),
      by: names.get(String(receipt.member)) ?? String(receipt.member),
      detail: receipt.detail === null ? null : String(receipt.detail),
    }));
  const stored = row?.at ? [{ state: "stored" as const, at: iso(row.at), by: null, detail: null }] : [];
  const queued = { state: "queued" as const, at: iso(row?.sent_at ?? 0), by: null, detail: null };
  const receipts: { state: DeliveryState; at: string; by: string | null; detail: string | null }[] = [
    queued,
    ...stored,
    ...told,
  ];
  return { to: String(row?.to_text ?? ""), receipts };
}

function toState(value: unknown): ReceiptState {
  return receiptState.parse(value);
}
