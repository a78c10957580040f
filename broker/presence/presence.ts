/**
 * Who is there: each device's newest sealed face, kept in memory, under a lease that outlives a short drop. Changes are
 * told together, once a tick; in a large workspace only that there are some, and whoever wants them pulls.
 */
import { MeshError } from "#protocol/errors.ts";
import type { Faces, Presence } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { BrokerConfig, BrokerPorts } from "../ports.ts";

export type PresenceBook = {
  /** What a device that has just connected is told. */
  connected(workspace: string, dev: string): Faces[];
  /** A page of what changed after a version. */
  pull(workspace: string, after: number): Faces;
  /** @throws MeshError wrong_author */
  update(workspace: string, author: { member: string; dev: string }, frame: Presence): void;
  disconnected(workspace: string, dev: string): void;
};

/** A device, there or not: who has gone is remembered, so that a pull can tell. */
type Entry = {
  version: number;
  frame: Presence | null;
  lastSeen: number;
  connections: number;
  cancelLease: () => void;
};

type Book = { entries: Map<string, Entry>; version: number; told: number; toldAt: number; isDue: boolean };

/** Who has to pull is told less often that there is something. */
const PULL_ONLY_TICKS = 10;

export function createPresenceBook(
  ports: Pick<BrokerPorts, "clock" | "timers" | "bus">,
  config: BrokerConfig,
): PresenceBook {
  const books = new Map<string, Book>();
  const now = () => Math.floor(ports.clock.now());

  const bookOf = (workspace: string): Book => {
    const known = books.get(workspace);
    if (known) return known;
    const made = { entries: new Map(), version: 0, told: 0, toldAt: Number.NEGATIVE_INFINITY, isDue: false };
    books.set(workspace, made);
    return made;
  };

  const tell = (workspace: string, book: Book) => {
    book.isDue = false;
    book.toldAt = ports.clock.now();
    for (const frame of isPullOnly(book) ? [bell(book)] : pagesAfter(book, book.told)) {
      ports.bus.publish(workspace, { type: "faces", frame });
    }
    book.told = book.version;
  };

  const changed = (workspace: string, book: Book, dev: string, entry: Entry) => {
    book.entries.set(dev, { ...entry, version: ++book.version });
    if (book.isDue) return;
    book.isDue = true;
    const tick = config.presenceTickMs * (isPullOnly(book) ? PULL_ONLY_TICKS : 1);
    const wait = book.toldAt + tick - ports.clock.now();
    if (wait > 0) ports.timers.after(wait, () => tell(workspace, book));
    else ports.timers.soon(() => tell(workspace, book));
  };

  const forget = (workspace: string, dev: string) => {
    const book = books.get(workspace);
    const entry = book?.entries.get(dev);
    if (!book || !entry?.frame) return;
    entry.cancelLease();
    changed(workspace, book, dev, { ...entry, frame: null, lastSeen: now() });
  };

  return {
    connected(workspace, dev) {
      const book = bookOf(workspace);
      const own = book.entries.get(dev);
      if (own) {
        own.cancelLease();
        own.connections++;
      } else {
        const nobody = { version: 0, frame: null, lastSeen: now(), connections: 1, cancelLease() {} };
        book.entries.set(dev, nobody);
      }
      return isPullOnly(book) ? [bell(book)] : pagesAfter(book, 0);
    },
    pull: (workspace, after) => pageAfter(bookOf(workspace), after),
    update(workspace, author, frame) {
      if (frame.member !== author.member || frame.dev !== author.dev) {
        throw new MeshError("wrong_author", "The presence names another device.", "Show your own face.");
      }
      const book = bookOf(workspace);
      const known = book.entries.get(frame.dev);
      // An older one that comes late, or again, changes nothing.
      if (!known || (known.frame && frame.counter <= known.frame.counter)) return;
      if (frame.sealed === "") forget(workspace, frame.dev);
      else changed(workspace, book, frame.dev, { ...known, frame, lastSeen: now() });
    },
    disconnected(workspace, dev) {
      const entry = books.get(workspace)?.entries.get(dev);
      if (!entry || --entry.connections > 0) return;
      entry.lastSeen = now();
      entry.cancelLease = ports.timers.after(config.leaseMs, () => forget(workspace, dev));
    },
  };
}

function isPullOnly({ entries }: Book): boolean {
  return entries.size > LIMITS.presencePush;
}

function bell({ version }: Book): Faces {
  return { type: "faces", version, faces: [], absent: [], more: true };
}

function pagesAfter(book: Book, after: number): Faces[] {
  const pages = [pageAfter(book, after)];
  for (let last = pages[0]; last?.more; last = pages.at(-1)) pages.push(pageAfter(book, last.version));
  return pages;
}

/** Oldest change first, so that a page's last version is where the next begins. */
function pageAfter({ entries, version }: Book, after: number): Faces {
  const changed = [...entries]
    .filter(([, entry]) => entry.version > after)
    .toSorted(([, a], [, b]) => a.version - b.version);
  const page = changed.slice(0, LIMITS.faces);
  const more = changed.length > page.length;
  return {
    type: "faces",
    version: more ? (page.at(-1)?.[1].version ?? version) : version,
    faces: page.flatMap(([, { frame }]) => frame ?? []),
    absent: page.flatMap(([dev, { frame, lastSeen }]) => (frame ? [] : { dev, lastSeen })),
    more,
  };
}
