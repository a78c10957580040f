/** What senders are to be told of their messages. */
import type { ReceiptState } from "#protocol/features/receipt.ts";
import type { Database } from "#protocol/ports.ts";
import type { Workspace } from "../workspace.ts";

/** `at`: ms since the epoch. */
export type Owed = { sender: string; id: string; state: ReceiptState; at: number; detail?: string };

/**
 * Of messages to me alone: rooms have read marks instead. Within the transaction that brought it about; answers whom it
 * concerns.
 */
export function owe({ me, replica: { db } }: Workspace, all: readonly Owed[]): Set<string> {
  const concerned = all.filter(({ sender, id }) =>
    db.sql("SELECT 1 FROM messages WHERE sender = ? AND id = ? AND label = ?").get(sender, id, me),
  );
  for (const one of concerned) insertOwed(db, one);
  return new Set(concerned.map(({ sender }) => sender));
}

export function insertOwed(db: Database, { sender, id, state, at, detail }: Owed): void {
  db.sql(
    "INSERT INTO receipts_due (id, member, state, at, detail) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  ).run(id, sender, state, Math.floor(at), detail ?? null);
}
