/** What I have said that members may do to me, as the index has it; and what becomes of a message from one who may not write. */

import type { Database } from "#protocol/ports.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import type { Right } from "#protocol/rights.ts";
import type { Applied } from "../feature.ts";
import type { Replica } from "../replica/replica.ts";

/** Without a word of mine. */
const DEFAULTS: readonly Right[] = ["message", "wake"];

export function isBlocked(db: Database, member: string): boolean {
  return db.sql("SELECT 1 FROM blocks WHERE member = ? AND blocked = 1").get(member) !== undefined;
}

/** Members who are, in the order of their ids. */
export function blockedMembers(db: Database): string[] {
  return db
    .sql("SELECT member FROM blocks WHERE blocked = 1 ORDER BY member")
    .all()
    .map((row) => String(row.member));
}

const AT_BROKER = "blocked-at-broker";

/** Whom the broker was told of last. */
export function blockedAtBroker({ meta }: Pick<Replica, "meta">): string[] {
  return (meta(AT_BROKER) ?? "").split(" ").filter((member) => member !== "");
}

export function setBlockedAtBroker({ setMeta }: Pick<Replica, "setMeta">, members: readonly string[]): void {
  setMeta(AT_BROKER, members.join(" "));
}

/** To all of my sessions, or to that one beyond it. Of somebody blocked it says nothing. */
export function isGranted(db: Database, member: string, right: Right, session: string | null): boolean {
  const said = (where: string) =>
    db
      .sql(`SELECT allowed FROM grants WHERE member = ? AND "right" = ? AND session = ?`)
      .get(member, right, where)?.allowed;
  const toAll = said("") ?? Number(DEFAULTS.includes(right));
  return toAll === 1 || (session !== null && said(session) === 1);
}

/**
 * barred: kept and not shown, until they may write again · refused: not shown, and never will be, as the sender is told.
 * Null for what may be shown. Inside the transaction that takes the record in; puts in order what the sender is to hear.
 */
export function bar(
  db: Database,
  me: string,
  event: MeshEvent,
  { id, from, label, at }: Applied,
): "barred" | "refused" | null {
  if (event.kind !== "message" || from === me) return null;
  // What was decided once stays so when the record comes again.
  const kept = db.sql("SELECT status FROM records WHERE sender = ? AND id = ?").get(from, id)?.status;
  if (kept === "barred" || kept === "refused") return kept;
  if (kept === "applied") return null;
  if (isBlocked(db, from)) return "barred";
  if (isGranted(db, from, "message", event.toSession ?? null)) return null;
  // In a room nobody is told: it wasn't said to me alone.
  if (label !== me) return "barred";
  db.sql(
    `INSERT INTO receipts_due (id, member, state, at, detail) VALUES (?, ?, 'refused', ?, 'no grant') ON CONFLICT DO NOTHING`,
  ).run(id, from, at ?? 0);
  return "refused";
}
