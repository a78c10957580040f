/**
 * Carries news between the parts of a broker, per workspace. In one process today. It is never the only copy of
 * anything: what was committed is in the store, and whoever missed the news reads it there.
 */
import type { Faces, Requested } from "#protocol/frames.ts";
import type { Header } from "#protocol/record.ts";

export type Committed = { seq: number; at: number; header: Header; bytes: Uint8Array };

export type News =
  | { type: "committed"; records: readonly Committed[] }
  | { type: "faces"; frame: Faces }
  /** For these members' devices alone. */
  | { type: "requested"; members: readonly string[]; frame: Requested };

export type Bus = {
  publish(workspace: string, news: News): void;
  /** The answer ends it. */
  subscribe(workspace: string, listener: (news: News) => void): () => void;
};

export function createBus(): Bus {
  const listeners = new Map<string, Set<(news: News) => void>>();
  return {
    publish(workspace, news) {
      for (const listener of listeners.get(workspace) ?? []) listener(news);
    },
    subscribe(workspace, listener) {
      const room = listeners.get(workspace) ?? new Set();
      listeners.set(workspace, room.add(listener));
      return () => {
        room.delete(listener);
        if (room.size === 0) listeners.delete(workspace);
      };
    },
  };
}
