/** Who is there: each device's newest sealed face, kept in memory, under a lease that outlives a short drop. */
import { MeshError } from "#protocol/errors.ts";
import { encodeFrame, type Presence } from "#protocol/frames.ts";
import type { BrokerConfig, BrokerPorts } from "../ports.ts";

export type PresenceBook = {
  /** The faces of the others, as frames, for a device that has just connected. */
  connected(workspace: string, dev: string): string[];
  /** @throws MeshError wrong_author */
  update(workspace: string, author: { member: string; dev: string }, frame: Presence): void;
  disconnected(workspace: string, dev: string): void;
};

type Face = { frame: Presence; connections: number; cancelLease: () => void };

export function createPresenceBook(ports: BrokerPorts, config: BrokerConfig): PresenceBook {
  const books = new Map<string, Map<string, Face>>();

  const forget = (workspace: string, dev: string) => {
    const book = books.get(workspace);
    book?.get(dev)?.cancelLease();
    if (!book?.delete(dev)) return;
    if (book.size === 0) books.delete(workspace);
    ports.bus.publish(workspace, { type: "absent", dev, lastSeen: Math.floor(ports.clock.now()) });
  };

  return {
    connected(workspace, dev) {
      const book = books.get(workspace) ?? new Map<string, Face>();
      const own = book.get(dev);
      if (own) {
        own.cancelLease();
        own.connections++;
      }
      return [...book.values()]
        .filter(({ frame }) => frame.dev !== dev)
        .map(({ frame }) => encodeFrame(frame));
    },
    update(workspace, author, frame) {
      if (frame.member !== author.member || frame.dev !== author.dev) {
        throw new MeshError("wrong_author", "The presence names another device.", "Show your own face.");
      }
      const book = books.get(workspace) ?? new Map<string, Face>();
      books.set(workspace, book);
      const known = book.get(frame.dev);
      // An older one that comes late, or again, changes nothing.
      if (known && frame.counter <= known.frame.counter) return;
      if (frame.sealed === "") return forget(workspace, frame.dev);
      book.set(frame.dev, {
        frame,
        connections: known?.connections ?? 1,
        cancelLease: known?.cancelLease ?? (() => {}),
      });
      ports.bus.publish(workspace, { type: "presence", frame });
    },
    disconnected(workspace, dev) {
      const face = books.get(workspace)?.get(dev);
      if (!face || --face.connections > 0) return;
      face.cancelLease = ports.timers.after(config.leaseMs, () => forget(workspace, dev));
    },
  };
}
