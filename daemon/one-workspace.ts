/**
 * The peer as one workspace's socket sees it: that workspace, whatever is asked for, and no other's name. Each member of
 * the type is decided here by hand, so that a new one can't slip through.
 */
import { MeshError } from "#protocol/errors.ts";
import type { Opened, Peer } from "#sdk/peer.ts";
import type { Approvals } from "./approvals.ts";
import type { Delivery } from "./delivery/delivery.ts";
import type { Decisions } from "./ports.ts";
import type { Policing } from "./registry.ts";
import type { Sessions } from "./sessions.ts";
import type { Asking } from "./transcripts/asking.ts";

function refuse(): never {
  throw new MeshError(
    "not_allowed",
    "This socket is for one workspace only.",
    "Ask at the daemon's own socket, outside of here.",
  );
}

export function onlyWorkspace(peer: Peer, id: string): Peer {
  const it = (): Opened => {
    const found = peer.opened().find(({ workspace }) => workspace.id === id);
    if (found) return found;
    throw new MeshError("unknown_workspace", "This socket's workspace isn't there any more.", "It was left.");
  };
  return {
    get account() {
      return peer.account;
    },
    person: {
      account: peer.person.account,
      isLoggedOut: peer.person.isLoggedOut,
      user: peer.person.user,
      name: peer.person.name,
      // Where else this person is known is nobody's business here.
      home: () => null,
      homeLink: refuse,
      document: {
        get: () => null,
        all: () => new Map(),
        entries: () => [],
        set: refuse,
        merge: refuse,
        revision: refuse,
        clear: refuse,
        listen: refuse,
      },
      adopt: refuse,
      forget: refuse,
      rename: refuse,
    },
    ports: peer.ports,
    host: peer.host,
    now: peer.now,
    sessions: peer.sessions,
    setSessions: refuse,
    sessionActive: refuse,
    // Past sessions may have been of other workspaces.
    knownSessionNames: () => peer.sessions().map(({ name }) => name),
    forwardedSessions: () => [],
    get database() {
      return refuse();
    },
    get asking() {
      return refuse();
    },
    opened: () => [it()],
    broken: () => [],
    readable: () => [it()],
    writable: it,
    create: async () => refuse(),
    add: async () => refuse(),
    remove: async () => refuse(),
    setAside: async () => refuse(),
    use: refuse,
    reopen: async () => refuse(),
    follow: async () => refuse(),
    sync: { start: refuse, stop: refuse, settle: refuse, replace: refuse, trouble: () => null },
    renewSeed: async () => refuse(),
    move: async () => refuse(),
    makeRoomFor: refuse,
    remember: refuse,
    discardAll: async () => refuse(),
    rename: refuse,
    settleSlug: refuse,
    listen: (listener) =>
      peer.listen((where, happening) => {
        if (where.workspace.id === id) listener(where, happening);
      }),
    start: refuse,
    stop: async () => refuse(),
  };
}

/** A session attached here would be shown in every workspace, and hear from all of them. */
export const noSessions: Sessions = {
  attach: refuse,
  detach: refuse,
  list: () => [],
  find: () => null,
  caller: () => null,
  change: refuse,
  see: refuse,
  typed: refuse,
  listen: refuse,
};

export const noDelivery: Delivery = {
  isKnown: refuse,
  configOf: refuse,
  idOf: refuse,
  open: refuse,
  posted: refuse,
  refresh: refuse,
  describe: refuse,
  check: refuse,
  offer: refuse,
  withdraw: refuse,
};

/** The person's rules are of all workspaces. */
export const noPolicing: Policing = {
  rules: null,
  judge: { imagine: refuse },
};

/** What waits for a yes may be about other workspaces. */
export const noApprovals: Approvals = { hold: refuse, waiting: refuse, past: refuse, decide: refuse };
export const noDecisions: Decisions = { append: refuse, newest: refuse };
/** A transcript tells of whatever its session was at, for whichever workspace. */
export const noAsking: Asking = { ask: refuse, answer: refuse };
