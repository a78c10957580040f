/**
 * Compare-and-set from the sender's side: what a put has to expect. The replica says what a cell held last; what is
 * under way, and what the broker answered to a put that came too late, is newer than that.
 */
import { MeshError } from "#protocol/errors.ts";
import type { Clock } from "#protocol/ports.ts";
import type { Put } from "#protocol/record.ts";
import { storedCell } from "../replica/records.ts";
import type { PutOrder, Replica, StoredCell } from "../replica/replica.ts";

type Standing = { version: number; hash: string; live: boolean };

export type Cells = {
  /** Null as long as the key that names cells there isn't here. */
  keyOf(label: string, cell: PutOrder["cell"]): string | null;
  /** The put's part of a header. @throws MeshError waiting_for_key */
  putOf(label: string, order: PutOrder): Put;
  /** How an own put stands until the broker has placed it; null for one that others can be before, or without a key. */
  provisional(label: string, order: PutOrder): Put | null;
  /** Of the value that a shared cell holds, or an own one, as far as this replica knows; null for none. */
  heldHash(label: string, name: string, whose?: "own"): string | null;
  /** It was sealed, and goes out. */
  sealed(label: string, put: Put, hash: string): void;
  /** The broker says what the cell holds; null: nothing at all. */
  learned(label: string, put: Put, standing: Standing | null): void;
  /** What is under way may not have come through. */
  forget(): void;
};

/** `cellKey`: of a named cell in a label; null as long as its key isn't here. */
export function createCells(
  replica: Replica,
  cellKey: (label: string, name: string) => string | null,
  me: string,
  clock: Clock,
): Cells {
  const newer = new Map<string, Standing>();
  const nameOf = (label: string, key: string, own: boolean) => `${label}/${key}/${own ? me : ""}`;

  const keyOf: Cells["keyOf"] = (label, cell) => ("key" in cell ? cell.key : cellKey(label, cell.name));
  const hasKey = (label: string) => cellKey(label, "") !== null;

  const standingOf = (label: string, key: string, own: boolean): Standing | null => {
    const known = newer.get(nameOf(label, key, own)) ?? null;
    const stored = storedCell(replica.db, label, key, own ? me : "");
    if (!stored || (known && known.version > stored.version)) return known;
    const { version, hash } = stored;
    return { version, hash, live: isLive(stored, clock.now()) };
  };

  const putOf: Cells["putOf"] = (label, { cell, own, ttlMs, tombstone, expect }) => {
    const key = keyOf(label, cell);
    if (!key) {
      throw new MeshError(
        "waiting_for_key",
        "No member has handed over the workspace's key yet.",
        "It comes as soon as one is online.",
      );
    }
    const standing = standingOf(label, key, own);
    const version = (standing?.version ?? 0) + 1;
    return { key, version, expect: expected(expect, standing), own, ttl: ttlMs, tombstone };
  };

  return {
    keyOf,
    putOf,
    provisional: (label, order) => (order.own && hasKey(label) ? putOf(label, order) : null),
    heldHash(label, name, whose) {
      const key = cellKey(label, name);
      const stored = key && storedCell(replica.db, label, key, whose === "own" ? me : "");
      return stored && isLive(stored, clock.now()) ? stored.hash : null;
    },
    sealed(label, { key, own, version, tombstone }, hash) {
      newer.set(nameOf(label, key, own), { version, hash, live: !tombstone });
    },
    learned(label, { key, own, version }, standing) {
      // Nothing there: whatever comes next has to be newer than what was seen here.
      newer.set(nameOf(label, key, own), standing ?? { version, hash: "", live: false });
    },
    forget: () => newer.clear(),
  };
}

function isLive({ tombstone, expiresAt }: StoredCell, now: number): boolean {
  return !tombstone && (expiresAt === null || expiresAt > now);
}

/** Whether a value has expired is the broker's to judge: here it is a guess, put right by its answer. */
function expected(expect: PutOrder["expect"], standing: Standing | null): string | null {
  if (expect === "free") return null;
  if (expect !== "any") return expect.hash;
  return standing?.live ? standing.hash : null;
}

export function outdone(): MeshError {
  return new MeshError("conflict", "Somebody else was first.", "Look at what it is now.");
}
