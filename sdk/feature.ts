/** How a feature keeps its index of the records and answers its methods. */
import type { ChainState } from "#protocol/chain/state.ts";
import type { Database } from "#protocol/ports.ts";
import type { Put, SealedRecord } from "#protocol/record.ts";
import type { Events, MeshEvent } from "#protocol/registry.ts";

/** Where an event stands. Null sequence and time: said here, not yet given its place by the broker. `put`: of a put. */
export type Applied = {
  id: string;
  from: string;
  dev: string;
  label: string;
  seq: number | null;
  at: number | null;
  put: Put | null;
};

/** What `apply` sees: the indexes, and who I am. It runs inside the transaction that takes the record in. */
export type Index = { db: Database; me: string; chain: ChainState };

/** An entry of the membership chain, between the states that it leads from and to. */
export type ChainStep = { before: ChainState; after: ChainState; record: SealedRecord };

export type Feature = {
  name: string;
  /** Its tables. A change of this text drops and rebuilds the index from the records. */
  tables: string;
  /**
   * One entry a kind of event. The order of calls doesn't matter, and the same record may come twice: first without
   * its sequence, then with it. Of puts to one cell the highest version counts; one that is a tombstone takes it away.
   */
  apply: { [K in keyof Events]?: (index: Index, event: Events[K], record: Applied) => void };
  /** Of each entry after the genesis, in the transaction that takes it in. The same one may come twice. */
  entered?(index: Index, step: ChainStep): void;
};

export function applyEvent(
  features: readonly Feature[],
  index: Index,
  event: MeshEvent,
  record: Applied,
): void {
  for (const { apply } of features) {
    // The kind of `event` picks the entry that takes exactly such an event; the table's type can't say so.
    const take = apply[event.kind] as ((index: Index, event: MeshEvent, record: Applied) => void) | undefined;
    take?.(index, event, record);
  }
}

export function applyStep(features: readonly Feature[], index: Index, step: ChainStep): void {
  for (const { entered } of features) entered?.(index, step);
}

/** Names of the tables that a feature's SQL makes. */
export function tableNames(feature: Feature): string[] {
  return [...feature.tables.matchAll(/CREATE (?:VIRTUAL )?TABLE (\w+)/g)].map((match) => match[1] ?? "");
}
