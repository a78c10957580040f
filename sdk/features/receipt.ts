/** Receipts: told to senders at most once a second each, and shown for what was sent. */
import { type DeliveryState, deliveryState } from "#protocol/features/message.ts";
import { receiptState } from "#protocol/features/receipt.ts";
import type { SqlRow } from "#protocol/ports.ts";
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

/** Each of these says all that the ones before it say. */
const STEPS: readonly unknown[] = ["delivered", "handed over", "seen"];

function isAbsorbed({ id, state }: SqlRow, among: readonly SqlRow[]): boolean {
  const step = STEPS.indexOf(state);
  return step >= 0 && among.some((other) => other.id === id && STEPS.indexOf(other.state) > step);
}

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
    const told = due.filter((row) => !isAbsorbed(row, due));
    const states = told.map((row) => ({
      id: String(row.id),
      state: receiptState.parse(row.state),
      at: Number(row.at),
      ...(row.detail === null ? {} : { detail: String(row.detail) }),
    }));
    const markSent = () => {
      for (const { id, state } of due) {
        db.sql("UPDATE receipts_due SET sent = 1 WHERE id = ? AND state = ?").run(String(id), String(state));
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
    if (happening.type === "owed") soon(opened, happening.member);
    if (happening.type === "link" && happening.state === "online") {
      for (const row of workspace.replica.db
        .sql("SELECT DISTINCT member FROM receipts_due WHERE sent = 0")
        .all()) {
        soon(opened, String(row.member));
      }
    }
  };
}

/** Later ones say more: what was held goes on once its person lets it. */
const ORDER: readonly DeliveryState[] = [
  "queued",
  "stored",
  "delivered",
  "held",
  "handed over",
  "seen",
  "answered",
  "expired",
  "refused",
];

export function stateOf(workspace: Workspace, id: string): DeliveryState {
  const rows = workspace.replica.db
    .sql(
      `SELECT state FROM receipts WHERE id = ?1
       UNION ALL SELECT 'stored' FROM messages WHERE sender = ?2 AND id = ?1 AND at IS NOT NULL
       UNION ALL SELECT 'answered' WHERE EXISTS (SELECT 1 FROM messages WHERE reply_to = ?1 AND sender <> ?2)`,
    )
    .all(id, workspace.me);
  const states = rows.map(({ state }) => state);
  return ORDER.findLast((state) => states.includes(state)) ?? "queued";
}

type Receipt = { state: DeliveryState; at: string; by: string | null; detail: string | null };

/** Everything that is known of an own message, in order. */
export function receiptsOf(workspace: Workspace, id: string): { to: string; receipts: Receipt[] } {
  const { db } = workspace.replica;
  const row = db
    .sql("SELECT to_text, sent_at, at FROM messages WHERE sender = ? AND id = ?")
    .get(workspace.me, id);
  const names = memberNames(workspace);
  const iso = (ms: unknown) => new Date(Number(ms)).toISOString();
  const toReceipt = ({ state, at, member, detail }: SqlRow): Receipt => ({
    state: deliveryState.parse(state),
    at: iso(at),
    by: names.get(String(member)) ?? String(member),
    detail: detail === null ? null : String(detail),
  });
  const told = db
    .sql(
      `SELECT member, state, at, detail FROM receipts WHERE id = ?1
       UNION ALL SELECT sender, 'answered', coalesce(at, sent_at), id FROM messages WHERE reply_to = ?1 AND sender <> ?2
       ORDER BY at`,
    )
    .all(id, workspace.me)
    .map(toReceipt);
  const own = (state: DeliveryState, at: unknown): Receipt => ({
    state,
    at: iso(at),
    by: null,
    detail: null,
  });
  const stored = row?.at ? [own("stored", row.at)] : [];
  return { to: String(row?.to_text ?? ""), receipts: [own("queued", row?.sent_at ?? 0), ...stored, ...told] };
}
