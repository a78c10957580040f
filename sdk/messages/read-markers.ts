/** How far I have read a topic, told to those who follow it: the newest only, and not for every line. */
import type { Timers } from "#protocol/ports.ts";
import type { Workspace } from "../workspace.ts";

const WAIT_MS = 2000;

export type ReadMarkers = { read(workspace: Workspace, label: string, upTo: string | undefined): void };

export function createReadMarkers(timers: Timers): ReadMarkers {
  /** By label; labels of two workspaces differ, since their keys do. */
  const waiting = new Map<string, string>();

  const tell = (workspace: Workspace, label: string) => {
    const upTo = waiting.get(label);
    waiting.delete(label);
    if (upTo === undefined || workspace.isClosed()) return;
    workspace.putOwn(label, "read", { kind: "topic.read", upTo });
  };

  return {
    read(workspace, label, upTo) {
      if (upTo === undefined || isTold(workspace, label, upTo)) return;
      if (!waiting.has(label)) timers.after(WAIT_MS, () => tell(workspace, label));
      waiting.set(label, upTo);
    },
  };
}

function isTold(workspace: Workspace, label: string, upTo: string): boolean {
  const row = workspace.replica.db
    .sql("SELECT up_to FROM topic_reads WHERE label = ? AND member = ?")
    .get(label, workspace.me);
  return row !== undefined && String(row.up_to) >= upTo;
}
