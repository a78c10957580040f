/** What a person has read is read on all of their machines: told to them by id, a few at a time. */
import { LIMITS } from "#protocol/limits.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import type { Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

const WAIT_MS = 2000;

export const reading: Feature = {
  name: "reading",
  tables: "",
  apply: {
    "message.read"({ db, me }, { ids }, { from }) {
      if (from !== me) return;
      for (const id of ids) {
        db.sql("INSERT INTO reads (id, told) VALUES (?, 1) ON CONFLICT DO UPDATE SET told = 1").run(id);
      }
    },
  },
};

export function tellReads(peer: Peer) {
  const scheduled = new Set<string>();

  const flush = (workspace: Workspace) => {
    scheduled.delete(workspace.id);
    if (workspace.isClosed() || !workspace.isMember()) return;
    const { db } = workspace.replica;
    const ids = db
      .sql("SELECT id FROM reads WHERE told = 0 LIMIT ?")
      .all(LIMITS.readsAtOnce)
      .map((row) => String(row.id));
    if (ids.length === 0) return;
    const markTold = () => {
      for (const id of ids) db.sql("UPDATE reads SET told = 1 WHERE id = ?").run(id);
    };
    workspace
      .say(workspace.me, { kind: "message.read", ids }, undefined, markTold)
      .then(() => ids.length === LIMITS.readsAtOnce && flush(workspace))
      .catch(workspace.failed);
  };

  return ({ workspace }: Opened, happening: Happening): void => {
    const isUp = happening.type === "link" && happening.state === "online";
    if ((happening.type !== "read" && !isUp) || workspace.broker === null) return;
    if (scheduled.has(workspace.id)) return;
    scheduled.add(workspace.id);
    peer.ports.timers.after(WAIT_MS, () => flush(workspace));
  };
}
