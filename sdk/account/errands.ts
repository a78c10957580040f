/**
 * What the root has signed and a workspace's chain doesn't have yet. The root is at hand for a moment only, a broker may be
 * out of reach for days: each entry waits here until it could be said.
 */
import { fromUtf8, utf8 } from "#protocol/bytes.ts";
import { decodeEntry, encodeEntry } from "#protocol/chain/entries.ts";
import { ERRORS, MeshError } from "#protocol/errors.ts";
import type { Database, Log } from "#protocol/ports.ts";
import type { RootEntry } from "../membership/root-entries.ts";
import type { Opened } from "../peer.ts";
import type { Person } from "./person.ts";

export type Errand = { workspace: string; entry: RootEntry };

export type Errands = {
  /** Answers what to call them by. */
  keep(errands: readonly Errand[]): number[];
  drop(ids: readonly number[]): void;
  /** Ids of the workspaces that still lack something. */
  waiting(): Set<string>;
  /** Says what is kept for that workspace, then begins the epoch that it calls for. @throws MeshError offline, timeout: what wasn't said stays */
  run(where: Opened): Promise<void>;
};

const LIMIT_MS = 10_000;

export function createErrands({ log }: { log: Log }, database: Database, person: Person): Errands {
  /** One at a time in a workspace: their order counts. */
  const turns = new Map<string, Promise<void>>();

  const keptFor = (workspace: string) =>
    database
      .sql("SELECT id, entry FROM errands WHERE workspace = ? ORDER BY id")
      .all(workspace)
      .map(({ id, entry }) => ({ id: Number(id), entry: rootEntry(String(entry)) }));

  const drop = (ids: readonly number[]) => {
    for (const id of ids) database.sql("DELETE FROM errands WHERE id = ?").run(id);
  };

  const work = async ({ workspace }: Opened): Promise<void> => {
    const kept = keptFor(workspace.id);
    for (const { id, entry } of kept) {
      // Signed before it was sure that the seed would come to be.
      if (entry.type === "seed" && !person.account().seeds.some(({ number }) => number === entry.number))
        return;
      try {
        await workspace.rootEntries.bring(entry, LIMIT_MS);
      } catch (error) {
        if (!(error instanceof MeshError) || isPassing(error)) throw error;
        // Left since, or another device has said more: it will never be right again.
        log.warn({ workspace: workspace.id, entry: entry.type, code: error.code }, "an entry came too late");
      }
      drop([id]);
    }
    if (kept.length > 0 && workspace.isMember()) await workspace.renewKey(LIMIT_MS);
  };

  return {
    keep: (errands) =>
      database.transaction(() =>
        errands.map(({ workspace, entry }) =>
          Number(
            database
              .sql("INSERT INTO errands (workspace, entry) VALUES (?, ?) RETURNING id")
              .get(workspace, fromUtf8(encodeEntry(entry)))?.id,
          ),
        ),
      ),
    drop,
    waiting: () =>
      new Set(
        database
          .sql("SELECT DISTINCT workspace FROM errands")
          .all()
          .map((row) => String(row.workspace)),
      ),
    run(where) {
      const { id } = where.workspace;
      const before = turns.get(id) ?? Promise.resolve();
      const turn = before.catch(() => {}).then(() => work(where));
      turns.set(id, turn);
      return turn;
    },
  };
}

function rootEntry(text: string): RootEntry {
  const entry = decodeEntry(utf8(text));
  if (entry.type === "device-revoke" || entry.type === "seed" || entry.type === "migrate") return entry;
  throw new Error(`no errand: ${entry.type}`);
}

function isPassing({ code }: MeshError): boolean {
  return code === "offline" || code === "timeout" || ERRORS[code].retry;
}
