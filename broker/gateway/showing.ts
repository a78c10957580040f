/** Slows down faces: at most one a device in a while. Of those that come sooner the newest is shown when the while is over. */
import type { Presence } from "#protocol/frames.ts";
import type { Timers } from "#protocol/ports.ts";

/** A connection's, and only that connection's. */
type Author = { member: string; dev: string };

type Show = (workspace: string, author: Author, frame: Presence) => void;
type Waiting = { author: Author; show: () => void };

export type Showing = {
  /** @throws what the given `show` throws */
  show: Show;
  /** That connection has ended: what it still wanted to show goes with it. */
  left(workspace: string, author: Author): void;
};

export function createShowing(timers: Timers, intervalMs: number, showFace: Show): Showing {
  /** Devices that have shown a face just now, and what they want to show next. */
  const recent = new Map<string, { next: Waiting | null }>();

  const showNow = (key: string, show: () => void) => {
    show();
    const entry: { next: Waiting | null } = { next: null };
    recent.set(key, entry);
    timers.after(intervalMs, () => {
      recent.delete(key);
      if (entry.next) showNow(key, entry.next.show);
    });
  };

  return {
    show(workspace, author, frame) {
      const key = `${workspace}/${author.dev}`;
      const show = () => showFace(workspace, author, frame);
      const entry = recent.get(key);
      const isOwn = frame.dev === author.dev && frame.member === author.member;
      // A goodbye needn't wait: it says something only about a face that was shown.
      const isGoodbye = frame.sealed === "";
      if (entry && isOwn && !isGoodbye) {
        entry.next = { author, show };
        return;
      }
      if (entry) entry.next = null;
      if (isGoodbye) show();
      else showNow(key, show);
    },
    left(workspace, author) {
      const entry = recent.get(`${workspace}/${author.dev}`);
      if (entry?.next?.author === author) entry.next = null;
    },
  };
}
