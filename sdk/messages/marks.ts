/** What I have read here. */
import type { Workspace } from "../workspace.ts";

/** Marks are the member's: read here is read in all sessions, and on the other machines soon. */
export function markRead(workspace: Workspace, ids: readonly string[]): void {
  const { db } = workspace.replica;
  if (ids.length === 0) return;
  db.transaction(() => {
    for (const id of ids) db.sql("INSERT OR IGNORE INTO reads (id) VALUES (?)").run(id);
  });
  workspace.tell({ type: "read" });
}
