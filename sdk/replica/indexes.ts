/** The features' tables: made, moved by each record, rebuilt from the records when a feature's tables change. */
import { toBase64url, utf8 } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import { sha256 } from "#protocol/hash.ts";
import { decodeRecord, isGuard, type Put, type SealedRecord } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import {
  type Applied,
  applyEvent,
  applyStep,
  type ChainStep,
  type Feature,
  type Index,
  tableNames,
} from "../feature.ts";
import { bar } from "../membership/grants.ts";
import type { PutOrder, Replica, StoredRecord } from "./replica.ts";

/** @throws MeshError for a record that says nothing */
export type Opener = (
  record: SealedRecord,
  seq: number | null,
) => Promise<{ status: StoredRecord["status"]; event: MeshEvent | null }>;

const PAGE = 500;

export function appliedFrom(record: SealedRecord, { seq, at }: { seq: number | null; at: number }): Applied {
  const { id, from, dev, to, put = null } = record.header;
  return { id, from, dev, label: to, seq, at, put };
}

/** Makes the tables where they are new or another than before; a rebuild is due then. */
export function prepareIndexes(replica: Replica, features: readonly Feature[]): void {
  const hash = toBase64url(sha256(utf8(features.map(({ tables }) => tables).join("\n"))));
  if (replica.meta("indexes") !== hash) emptyIndexes(replica, features, hash);
}

function emptyIndexes(replica: Replica, features: readonly Feature[], hash: string): void {
  replica.db.transaction(() => {
    const known = (replica.meta("index-tables") ?? "").split(" ").filter((name) => name !== "");
    for (const name of known) replica.db.exec(`DROP TABLE IF EXISTS ${name}`);
    for (const { tables } of features) replica.db.exec(tables);
    replica.setMeta("index-tables", features.flatMap(tableNames).join(" "));
    replica.setMeta("indexes-pending", "1");
    replica.setMeta("indexes", hash);
  });
}

/** Records went, or were given other places: the indexes begin anew. Joins the caller's transaction. */
export function dropIndexes(replica: Replica, features: readonly Feature[]): void {
  emptyIndexes(replica, features, replica.meta("indexes") ?? "");
}

/** Takes the chain's entries again, every applied record, then what waits in the outbox. Safe to repeat after a crash in the middle. */
export async function rebuildIndexes(
  replica: Replica,
  features: readonly Feature[],
  index: Index,
  me: Pick<Applied, "from" | "dev">,
  open: Opener,
  provisional: (label: string, order: PutOrder) => Put | null,
  steps: AsyncIterable<ChainStep>,
) {
  for await (const step of steps) applyStep(features, index, step);
  await walk(replica, "applied", features, index, open);
  replica.db.transaction(() => {
    for (const { id, label, event, put: order } of replica.outbox(0, Number.MAX_SAFE_INTEGER)) {
      const put = order && provisional(label, order);
      if (put || !order) applyEvent(features, index, event, { ...me, id, label, seq: null, at: null, put });
    }
    replica.setMeta("indexes-pending", "");
  });
}

export function rebuildIsDue(replica: Replica): boolean {
  return replica.meta("indexes-pending") === "1";
}

/** What couldn't be opened or understood before: tried again once there is a new key or a new version. */
export function retryWaiting(
  replica: Replica,
  features: readonly Feature[],
  index: Index,
  open: Opener,
): Promise<Taken[]> {
  return walk(replica, "waiting", features, index, open);
}

type Taken = { event: MeshEvent; record: Applied };

async function walk(
  replica: Replica,
  which: "applied" | "waiting",
  features: readonly Feature[],
  index: Index,
  open: Opener,
) {
  const taken: Taken[] = [];
  let after = 0;
  /** What was applied once is opened again; what waits is judged as if it came now. */
  const opening = async (record: SealedRecord, { seq, status }: StoredRecord) => {
    const isJudged = which === "applied" && !isGuard(record.header);
    try {
      return { ...(await open(record, isJudged ? null : seq)), error: null };
    } catch (error) {
      if (!(error instanceof MeshError) || which === "applied") throw error;
      return { status, event: null, error };
    }
  };
  for (;;) {
    const page = replica.records(after, PAGE, which);
    const opened = await Promise.all(
      page.map(async (stored) => {
        const record = decodeRecord(stored.bytes);
        return { stored, applied: appliedFrom(record, stored), ...(await opening(record, stored)) };
      }),
    );
    replica.db.transaction(() => {
      for (const { stored, applied, status: found, event, error } of opened) {
        const barred = event && which === "waiting" ? bar(replica.db, index.me, event, applied) : null;
        const status = barred ?? found;
        if (error) replica.giveBack(stored, error.code);
        else if (status !== stored.status) replica.setStatus(stored.position, status);
        if (!event || barred) continue;
        applyEvent(features, index, event, applied);
        if (which === "waiting") taken.push({ event, record: applied });
      }
    });
    const last = page.at(-1);
    if (!last) return taken;
    after = last.position;
  }
}
