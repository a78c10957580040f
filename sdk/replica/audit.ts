/**
 * What doesn't add up in what the broker gave us. A device numbers what it appends to a label: a number that is missing
 * was withheld, one that stands twice was forked. Colleagues' faces tell how far they have counted, so that a cut end
 * shows too.
 */
import { MeshError } from "#protocol/errors.ts";
import type { Finding } from "#protocol/features/audit.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Database, SqlRow } from "#protocol/ports.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { Context } from "../context.ts";
import { loadChain } from "../membership/chain.ts";
import type { Present } from "../presence/presence.ts";
import { isFollowed, type Replica, storedRecord } from "./replica.ts";

/** Rows with the number and sequence before them, where this replica has to have everything. */
const NUMBERED = `
  SELECT r.label, r.sender, r.dev, r.n, r.seq,
    lag(r.n) OVER w AS n_before, lag(r.seq) OVER w AS seq_before
  FROM records r LEFT JOIN labels l ON l.label = r.label
  WHERE r.n > 0 AND r.seq > coalesce(l.since, 0) AND (l.label IS NULL OR l.joined = 1 OR r.sender = ?1)
  WINDOW w AS (PARTITION BY r.label, r.dev ORDER BY r.n, r.seq)`;

const SUSPECT = `SELECT * FROM (${NUMBERED}) WHERE n - n_before <> 1 ORDER BY seq`;

export function findingsOf(replica: Replica, me: string, present: readonly Present[]): Finding[] {
  const { db } = replica;
  return [
    ...db
      .sql(SUSPECT)
      .all(me)
      .map((row) => gapOrFork(db, row)),
    ...present.flatMap((one) => cutEnds(replica, one)),
    ...db
      .sql("SELECT seq, code, at FROM refusals ORDER BY seq")
      .all()
      .map((row) => ({
        type: "refused" as const,
        member: null,
        label: null,
        count: 1,
        detail: `record ${Number(row.seq)}: ${String(row.code)}`,
      })),
    ...db
      .sql("SELECT * FROM doubts ORDER BY at")
      .all()
      .map((row) => ({
        type: row.what === "another log" ? ("restored" as const) : ("refused" as const),
        member: row.member === "" ? null : String(row.member),
        label: null,
        count: Number(row.count),
        detail: `${String(row.what)}: ${String(row.code)}`,
      })),
  ];
}

function gapOrFork(db: Database, row: SqlRow): Finding {
  const [n, before, seq, seqBefore] = [row.n, row.n_before, row.seq, row.seq_before].map(Number);
  const where = { member: String(row.sender), label: String(row.label) };
  if (n === before) return { type: "forked", ...where, count: 1, detail: `two records are number ${n}` };
  // Retention took them before this device asked.
  const isExplained = db
    .sql("SELECT 1 FROM missed WHERE after_seq < ? AND floor > ?")
    .get(seq ?? 0, seqBefore ?? 0);
  const count = (n ?? 0) - (before ?? 0) - 1;
  const detail =
    count === 1 ? `number ${(before ?? 0) + 1}` : `numbers ${(before ?? 0) + 1} to ${(n ?? 0) - 1}`;
  return { type: isExplained ? "expired" : "withheld", ...where, count, detail };
}

/** Only where everything up to the face's sequence is here. */
function cutEnds({ db, cursor }: Replica, { member, dev, face }: Present): Finding[] {
  const { through, n } = face.counters;
  if (cursor() < through) return [];
  return Object.entries(n).flatMap(([label, told]) => {
    const follows = label === EVERYONE || isFollowed(db, label);
    const held = db
      .sql("SELECT max(n) AS n FROM records WHERE label = ? AND dev = ? AND n > 0 AND seq IS NOT NULL")
      .get(label, dev);
    const last = Number(held?.n ?? 0);
    if (!follows || last >= told) return [];
    const detail = `numbers ${last + 1} to ${told}, as the sender's own device says`;
    return [{ type: "withheld" as const, member, label, count: told - last, detail }];
  });
}

const PAGE = 500;

/** Checks chain and records once more, from the bytes that are kept. */
export async function verifyAll({ ports, workspace, replica, sealer }: Context) {
  const { placed } = await loadChain(ports, replica, workspace);
  const refused: MeshError[] = [];
  let records = 0;
  let after = 0;
  for (;;) {
    const page = replica.db
      .sql("SELECT * FROM records WHERE seq > ? ORDER BY seq LIMIT ?")
      .all(after, PAGE)
      .map(storedRecord);
    for (const { seq, bytes } of page) {
      after = seq ?? after;
      records++;
      try {
        if (placed.state) await sealer.verify(placed.state, placed.hashes, decodeRecord(bytes), after);
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        refused.push(error);
      }
    }
    if (page.length < PAGE) return { entries: placed.hashes.length, records, refused };
  }
}
