/**
 * Where a link begins. Mostly after the cursor. A device that was away for longer than the log keeps gets a snapshot:
 * what isn't in it is no more. A log that isn't the one it was, restored from a backup or another, is taken in from its
 * start, and what this device said and the log lacks is offered again.
 */
import { MeshError } from "#protocol/errors.ts";
import type { HelloAck } from "#protocol/frames.ts";
import { recordIdTime } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import { decodeRecord, isGuard } from "#protocol/record.ts";
import type { Context } from "../context.ts";
import { chainSteps } from "../membership/chain.ts";
import { chainForked } from "../membership/heads.ts";
import { dropIndexes, rebuildIndexes } from "./indexes.ts";
import { type OutboxRow, type PutOrder, type StoredRecord, storedRecord } from "./replica.ts";

export type Resume = {
  /** The link is up, as a member. */
  begin(ack: HelloAck): void;
  /** The cursor isn't kept before everything has come: after a crash it all begins anew. */
  keepsCursor(): boolean;
  /** A put that is still there. */
  confirm(sender: string, id: string): void;
  /** Whether `through` ends it. */
  isDue(through: number): boolean;
  finish(): Promise<void>;
};

/**
 * What a broker can't say that goes on with the log that it had: that it ends before what we have of it, or has another
 * chain. One that lost something says so, and begins anew.
 */
export function lieOf({ replica, chain }: Context, ack: HelloAck): MeshError | null {
  const { known, placed } = chain;
  const ours = ack.chain && known.hashes[ack.chain.height];
  if (ours && ours !== ack.chain?.hash) return chainForked();
  if (ack.resume === "start") return null;
  const isShorter = ack.head < replica.cursor() || placed.hashes.length > (ack.chain?.height ?? -1) + 1;
  return isShorter || ack.logId !== replica.logId()
    ? new MeshError(
        "rolled_back",
        "The broker goes on from an older state of the log than it has shown us.",
        "Don't trust this broker.",
      )
    : null;
}

const DAY_MS = 86_400_000;
/** A day before the broker refuses them for their age. */
const OFFERED_DAYS = LIMITS.idDays - 1;

export function createResume(context: Context, caughtUp: () => void): Resume {
  const { replica, account, features, ports, me } = context;
  const { db } = replica;
  let head: number | null = null;
  /** Puts that the snapshot hasn't brought again. */
  let unconfirmed: Set<string> | null = null;
  const isDisplaced = () => replica.meta("displaced") === "1";

  const nameOf = (sender: unknown, id: unknown) => `${String(sender)}/${String(id)}`;

  const dropUnconfirmed = () => {
    for (const row of db.sql("SELECT position, sender, id FROM records WHERE key IS NOT NULL").all()) {
      if (unconfirmed?.has(nameOf(row.sender, row.id))) {
        db.sql("DELETE FROM records WHERE position = ?").run(Number(row.position));
      }
    }
  };

  const lost = (): StoredRecord[] =>
    db
      .sql("SELECT * FROM records WHERE seq IS NULL AND sender = ? AND dev = ? ORDER BY position")
      .all(me, account.device.id)
      .map(storedRecord);

  const offerAgain = async () => {
    const youngest = ports.clock.now() - OFFERED_DAYS * DAY_MS;
    const rows: Omit<OutboxRow, "position">[] = [];
    for (const stored of lost()) {
      const record = decodeRecord(stored.bytes);
      const { id, to: label, n, put } = record.header;
      if (isGuard(record.header)) continue;
      const { event } = await context.open(record, null);
      // Keys are handed on anew, by who finds the topic's rosters lost.
      if (!event || event.kind === "topic.keys" || recordIdTime(id) < youngest) continue;
      const order: PutOrder | null = put
        ? { cell: { key: put.key }, own: put.own, ttlMs: put.ttl, tombstone: put.tombstone, expect: "any" }
        : null;
      rows.push({ id, label, n, put: order, event, createdAt: Math.floor(ports.clock.now()) });
    }
    replica.requeue(rows);
  };

  const makeIndexesAnew = async () => {
    db.transaction(() => {
      dropUnconfirmed();
      dropIndexes(replica, features);
    });
    unconfirmed = null;
    const who = { from: me, dev: account.device.id };
    const steps = chainSteps(ports, replica, context.workspace);
    const { index, open, cells } = context;
    await rebuildIndexes(replica, features, index(), who, open, cells.provisional, steps);
    context.forgetNames();
  };

  return {
    begin(ack) {
      head = null;
      unconfirmed = null;
      if (ack.resume === "snapshot") {
        const puts = db.sql("SELECT sender, id FROM records WHERE key IS NOT NULL AND seq IS NOT NULL").all();
        unconfirmed = new Set(puts.map(({ sender, id }) => nameOf(sender, id)));
        db.sql("INSERT INTO missed (after_seq, floor) VALUES (?, ?)").run(replica.cursor(), ack.floor);
        replica.setCursor(0);
      }
      if (ack.resume === "start") {
        const isFirst = replica.logId() === null;
        db.transaction(() => {
          if (!isFirst) {
            replica.displaceAll();
            replica.setMeta("displaced", "1");
            replica.doubt("another log", ack.logId, null, ports.clock.now());
          }
          replica.setMeta("logId", ack.logId);
          replica.setCursor(0);
        });
        if (!isFirst) {
          context.chain = { ...context.chain, placed: { state: null, hashes: [] } };
          context.rosters.displaced();
          context.heads.logChanged();
        }
      }
      if (unconfirmed || isDisplaced() || replica.cursor() === 0) head = ack.head;
      context.isCatchingUp = head !== null;
    },
    keepsCursor: () => unconfirmed === null,
    confirm: (sender, id) => void unconfirmed?.delete(nameOf(sender, id)),
    isDue: (through) => head !== null && through >= head,
    async finish() {
      head = null;
      if (unconfirmed || isDisplaced()) await makeIndexesAnew();
      if (isDisplaced()) await offerAgain();
      db.transaction(() => {
        replica.renumber(account.device.id);
        replica.setMeta("displaced", "");
      });
      context.isCatchingUp = false;
      caughtUp();
    },
  };
}
