/**
 * Which of a person's machines surfaces what is for the person rather than for one session. A value of their own says it,
 * moved by compare-and-set: who places it hands over what has come since, and nobody else does.
 */
import { type ChainState, isIn } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Happening } from "../context.ts";
import type { Feature } from "../feature.ts";
import { give, mayHaveBeenShown, waitingAfter } from "../messages/handing-over.ts";
import type { Opened, Peer } from "../peer.ts";
import { createWorker } from "../worker.ts";
import type { Workspace } from "../workspace.ts";

const CELL = "focus";
const LIMIT_MS = 10_000;
/** Two machines that are both in use don't take it from each other at every step. */
const REST_MS = 30_000;
/** After the last hand-over it is told that it was done, unless the next one tells so. */
const DONE_MS = 2000;
/** So long after the link came up or the focus moved it isn't known yet what sessions the holder has: faces take their time. */
const SETTLE_MS = 6000;

/** Up to the sequence `handed` all is in the hands of `dev`, or of who had it before; up to `posted` it was shown. */
type Focus = { dev: string; handed: number; posted: number };

export const focus: Feature = {
  name: "focus",
  tables: `
    CREATE TABLE focus (
      one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, dev TEXT NOT NULL, handed INTEGER NOT NULL,
      posted INTEGER NOT NULL
    ) STRICT;
  `,
  apply: {
    "member.focus"({ db, me }, { dev, handed, posted }, { from, put, seq }) {
      // Until the broker has placed it, another machine may be first.
      if (from !== me || !put?.own || seq === null) return;
      db.sql(
        `INSERT INTO focus (one, seq, dev, handed, posted) VALUES (1, ?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET seq = ?1, dev = ?2, handed = ?3, posted = ?4 WHERE seq < ?1`,
      ).run(seq, dev, handed, posted);
    },
  },
};

/** Whether several machines have to agree. Once they had to, it stays so: what waits then isn't forgotten. */
export function isShared(workspace: Workspace): boolean {
  return sharedSince(workspace) !== null || focusOf(workspace) !== null;
}

/** By chain: it is asked for with each message. */
const sharing = new WeakMap<ChainState, number | null>();

/** The sequence at which the second machine came in; null while there is only one. */
function sharedSince(workspace: Workspace): number | null {
  const chain = workspace.chain();
  if (!chain) return null;
  const known = sharing.get(chain);
  if (known !== undefined) return known;
  const own = [...chain.devices.values()].filter((one) => one.member === workspace.me && isIn(one));
  const since = own.map(({ spans }) => spans.at(-1)?.from ?? 0).toSorted((a, b) => a - b)[1] ?? null;
  sharing.set(chain, since);
  return since;
}

function focusOf(workspace: Workspace): Focus | null {
  const row = workspace.replica.db.sql("SELECT * FROM focus").get();
  if (!row) return null;
  return { dev: String(row.dev), handed: Number(row.handed), posted: Number(row.posted) };
}

function hasSessions(workspace: Workspace, dev: string): boolean {
  return workspace.presence.present().some((one) => one.dev === dev && one.face.sessions !== "");
}

/** What one workspace's hand-overs have come to in this process. */
type Progress = {
  /** Up to here all was shown by this process, or was another's, or is marked. Null: nothing was looked at yet. */
  shown: number | null;
  isActive: boolean;
  isDone: boolean;
  linkedAt: number;
  /** Who was last seen to have it, and since when. */
  holder: string | null;
  heldSince: number;
  look(): void;
};

export function keepFocus(peer: Peer) {
  const { timers } = peer.ports;
  const progress = new WeakMap<Opened, Progress>();

  const place = async (workspace: Workspace, next: Focus): Promise<boolean> => {
    const hash = workspace.ownHash(workspace.me, CELL);
    const expect = hash === null ? "free" : { hash };
    const order = { cell: { name: CELL }, own: true, ttlMs: null, tombstone: false, expect } as const;
    try {
      await workspace.putAndWait(workspace.me, order, { kind: "member.focus", ...next }, LIMIT_MS);
      return true;
    } catch (error) {
      // Another machine's value is on its way here, and is looked at then.
      if (error instanceof MeshError && (error.code === "conflict" || error.code === "timeout")) return false;
      throw error;
    }
  };

  /** Whether it is for this machine to have it now. */
  const mayHave = (workspace: Workspace, held: Focus | null, mine: Progress, now: number): boolean => {
    if (held?.dev !== mine.holder) mine.heldSince = now;
    mine.holder = held?.dev ?? null;
    if (!held || held.dev === peer.account.device.id) return true;
    if (!hasSessions(workspace, held.dev)) {
      const unsettled = SETTLE_MS - (now - Math.max(mine.linkedAt, mine.heldSince));
      if (unsettled > 0) timers.after(unsettled, mine.look);
      return unsettled <= 0;
    }
    if (!mine.isActive || now - mine.heldSince < REST_MS) {
      mine.isActive = false;
      return false;
    }
    // Who is there tells within seconds what it has shown; then it is looked at again.
    return held.posted === held.handed;
  };

  const step = async ({ workspace }: Opened, mine: Progress): Promise<void> => {
    if (workspace.isClosed() || workspace.link() !== "online" || !isShared(workspace)) return;
    if (peer.sessions().length === 0) return;
    const held = focusOf(workspace);
    if (!mayHave(workspace, held, mine, peer.now())) return;
    mine.isActive = false;
    const { id } = peer.account.device;
    const isMine = held?.dev === id;
    const before = held?.handed ?? sharedSince(workspace) ?? 0;
    if (held && (!isMine || mine.shown === null)) {
      // Another machine's, or a former life's of this one: nobody has said that these were shown.
      mayHaveBeenShown(workspace, held.posted, held.handed);
    }
    const base = isMine ? (mine.shown ?? before) : before;
    mine.shown = base;
    const waiting = waitingAfter(workspace, base);
    const upTo = Math.max(before, waiting.at(-1)?.seq ?? 0);
    const isTold = held?.posted === before && base === before;
    if (isMine && waiting.length === 0 && (isTold || !mine.isDone)) return;
    mine.isDone = false;
    const next = { dev: id, handed: upTo, posted: base };
    if (!(await place(workspace, next))) return;
    for (const one of waiting) give(peer, workspace, one);
    mine.shown = upTo;
    mine.look();
    if (next.posted === upTo) return;
    timers.after(DONE_MS, () => {
      mine.isDone = true;
      mine.look();
    });
  };

  const progressIn = (opened: Opened): Progress => {
    const known = progress.get(opened);
    if (known) return known;
    const look = createWorker(() => step(opened, made), opened.workspace.failed);
    const since = { linkedAt: peer.now(), holder: null, heldSince: peer.now() };
    const made: Progress = { shown: null, isActive: false, isDone: false, ...since, look };
    progress.set(opened, made);
    return made;
  };

  return (opened: Opened, happening: Happening): void => {
    if (!concerns(happening, opened.workspace.me) || !isShared(opened.workspace)) return;
    const mine = progressIn(opened);
    if (happening.type === "link") mine.linkedAt = peer.now();
    if (happening.type === "active") mine.isActive = true;
    mine.look();
  };
}

function concerns(happening: Happening, me: string): boolean {
  switch (happening.type) {
    case "applied":
      return happening.event.kind === "message" || happening.event.kind === "member.focus";
    case "peer":
      return happening.member === me;
    case "link":
      return happening.state === "online";
    default:
      return happening.type === "sessions" || happening.type === "active" || happening.type === "chain";
  }
}
