/** This device's copy of the account document. */
import {
  type DocumentEntry,
  type DocumentKind,
  type DocumentValue,
  documentKinds,
  isLater,
} from "#protocol/account/document.ts";
import type { Clock, Database, SqlRow } from "#protocol/ports.ts";

export type Document = {
  get<K extends DocumentKind>(kind: K, id?: string): DocumentValue<K> | null;
  /** Id → value of all entries of a kind. */
  all<K extends DocumentKind>(kind: K): Map<string, DocumentValue<K>>;
  /** Null takes the entry away. Nothing happens where it says so already. */
  set<K extends DocumentKind>(kind: K, id: string, value: DocumentValue<K> | null): void;
  entries(): DocumentEntry[];
  /**
   * Takes in what another device has written; true when something is new here. `isNews`: the other machines don't know it
   * either.
   */
  merge(entries: readonly DocumentEntry[], isNews?: boolean): boolean;
  /** Another number whenever something in it may be another. */
  revision(): number;
  /** Another person's from now on. */
  clear(): void;
  listen(changed: () => void): void;
};

export function createDocument(database: Database, clock: Clock): Document {
  const listeners = new Set<() => void>();
  let revision = 0;
  const find = (key: string) => {
    const row = database.sql("SELECT * FROM document WHERE key = ?").get(key);
    return row ? entryOf(row) : null;
  };
  const write = ({ key, at, value }: DocumentEntry) => {
    revision++;
    database
      .sql(
        "INSERT INTO document (key, at, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = ?2, value = ?3",
      )
      .run(key, at, value);
  };

  return {
    get: (kind, id = "") => parsed(kind, find(`${kind}/${id}`)),
    all(kind) {
      const rows = database
        .sql("SELECT * FROM document WHERE key GLOB ? AND value IS NOT NULL")
        .all(`${kind}/*`);
      return new Map(
        rows.flatMap((row) => {
          const value = parsed(kind, entryOf(row));
          return value ? [[String(row.key).slice(kind.length + 1), value] as const] : [];
        }),
      );
    },
    set(kind, id, value) {
      const key = `${kind}/${id}`;
      const before = find(key);
      const text = value && JSON.stringify(documentKinds[kind].parse(value));
      if ((before?.value ?? null) === text) return;
      // A clock that was set back doesn't undo what is said now.
      write({ key, at: Math.max(Math.floor(clock.now()), (before?.at ?? 0) + 1), value: text });
      for (const changed of listeners) changed();
    },
    entries: () => database.sql("SELECT * FROM document ORDER BY key").all().map(entryOf),
    merge(entries, isNews = false) {
      const isNew = database.transaction(() => {
        const newer = entries.filter((entry) => {
          const ours = find(entry.key);
          return !ours || isLater(entry, ours);
        });
        for (const entry of newer) write(entry);
        return newer.length > 0;
      });
      if (isNew && isNews) for (const changed of listeners) changed();
      return isNew;
    },
    revision: () => revision,
    clear() {
      revision++;
      database.sql("DELETE FROM document").run();
    },
    listen: (changed) => void listeners.add(changed),
  };
}

function entryOf({ key, at, value }: SqlRow): DocumentEntry {
  return { key: String(key), at: Number(at), value: value === null ? null : String(value ?? "") };
}

/** What a newer version wrote in another form is left as it is. */
function parsed<K extends DocumentKind>(kind: K, entry: DocumentEntry | null): DocumentValue<K> | null {
  if (!entry?.value) return null;
  const checked = documentKinds[kind].safeParse(JSON.parse(entry.value));
  return checked.success ? (checked.data as DocumentValue<K>) : null;
}
