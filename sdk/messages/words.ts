/**
 * The words of every message, for `search`. They are indexed a moment after their message, many together: by itself one
 * would write as much again as all the rest of its commit. A search looks first whether some are missing.
 */
import type { Database } from "#protocol/ports.ts";
import type { Happening } from "../context.ts";
import type { Opened, Peer } from "../peer.ts";

/**
 * The newest are ranked, so `rowid` is a message's `position`, the order in which they were taken in. Prefixes of two and
 * three letters are kept, as those of words that are still being typed.
 */
export const WORDS_TABLE = `
  CREATE VIRTUAL TABLE message_words USING fts5(
    text, content = '', contentless_delete = 1, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
  );`;

const LAG_MS = 1000;
/** Some milliseconds of work. */
const CHUNK = 200;

/** Indexes the next messages, in one commit; false when there are none. */
export function keepWords(db: Database): boolean {
  const kept = db.sql("SELECT coalesce(max(id), 0) AS position FROM message_words_docsize").get()?.position;
  const missing = "SELECT position, text FROM messages WHERE position > ? ORDER BY position LIMIT ?";
  return db.sql(`INSERT INTO message_words (rowid, text) ${missing}`).run(kept ?? 0, CHUNK).changes > 0;
}

/** Keeps the index close behind, a chunk in each turn of the event loop. */
export function createWordKeeper(peer: Peer) {
  const scheduled = new Set<string>();

  const keep = (opened: Opened) => {
    const { workspace } = opened;
    scheduled.delete(workspace.id);
    if (workspace.isClosed()) return;
    try {
      if (keepWords(workspace.replica.db)) peer.ports.timers.soon(() => keep(opened));
    } catch (error) {
      workspace.failed(error);
    }
  };

  return (opened: Opened, happening: Happening): void => {
    const isMessage = happening.type === "applied" && happening.event.kind === "message";
    const { id } = opened.workspace;
    // A key: the workspace was just opened, or old messages can be read.
    if ((!isMessage && happening.type !== "key") || scheduled.has(id)) return;
    scheduled.add(id);
    peer.ports.timers.after(LAG_MS, () => keep(opened));
  };
}
