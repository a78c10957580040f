/** Members and their sessions: what `peers` shows. Names travel sealed, in `member.profile`. */
import { z } from "zod";
import { isoTime, methods, workspace } from "../method.ts";
import { RIGHTS } from "../rights.ts";
import { chainHead, count, id, label, name, role } from "../schema.ts";

/**
 * waiting: its client asks its person for a permission. dnd: its person wants it left alone. deaf: what was posted to it
 * didn't come to its model.
 */
export const sessionStatus = z.enum(["idle", "working", "waiting", "dnd", "deaf"]);

/** A session as its daemon knows it. */
export const sessionFace = z.object({
  id: z.string().max(100),
  /** Its name in addresses: `alice/NAME`. */
  name: z.string().max(64),
  type: z.enum(["claude", "other"]),
  status: sessionStatus,
  summary: z.string().max(200).nullable(),
  cwd: z.string().max(300).nullable(),
  host: z.string().max(100),
  /** Of the repository that its folder is in: `owner/name`, or the name of its folder. */
  repo: z.string().max(200).nullable(),
  branch: z.string().max(200).nullable(),
  model: z.string().max(100).nullable(),
  /** What its client tells of itself: `contextTokens`, `contextPercent`, `costUsd`. */
  stats: z.record(z.string().max(40), z.number()).nullable(),
});

const right = z.enum(RIGHTS);
/** How each status stands in a face. */
export const MARK_LETTERS = { idle: "i", working: "w", waiting: "p", dnd: "d", deaf: "x" } as const;

export const events = {
  /** A put of the sender's own, to everyone: what it wants to be called. */
  "member.profile": z.object({ kind: z.literal("member.profile"), name }),
  /**
   * A put of the sender's own, a cell for each name: this device holds the address. It outlives the session, so that a
   * message can wait for it; while the session lives, its device's face says so. `forwards`: it goes by that name now.
   */
  "session.claim": z.object({
    kind: z.literal("session.claim"),
    name: sessionFace.shape.name,
    dev: id,
    session: sessionFace.omit({ name: true, status: true, stats: true }),
    forwards: sessionFace.shape.name.nullable(),
  }),
  /**
   * A put of the sender's own, to themselves: the machine that surfaces what is for no session in particular. What came up to
   * the sequence `handed` is in its hands or was in another's; up to `posted` it was shown.
   */
  "member.focus": z.object({
    kind: z.literal("member.focus"),
    dev: id,
    handed: count,
    posted: count,
  }),
  /** A put of the sender's own, to themselves, a cell for each: what they let that member do to them. Null session: to all. */
  "member.grant": z.object({
    kind: z.literal("member.grant"),
    member: id,
    right,
    session: sessionFace.shape.name.nullable(),
    allowed: z.boolean(),
  }),
  /** The same, a cell for each member: whether they want to hear of them at all. */
  "member.block": z.object({ kind: z.literal("member.block"), member: id, blocked: z.boolean() }),
};

export const questions = {
  /** The sessions of a device, whole: its face has room for their status alone. */
  "member.sessions": z.object({ kind: z.literal("member.sessions") }),
};

/** What it answers to `member.sessions`. */
export const sessionsAnswer = z.object({ sessions: z.array(sessionFace).max(1000) });

/** What a device says of itself while it is online; sealed under the epoch's key, at most 1 KiB. */
export const face = z.object({
  /** Drawn when it started; signals to it name it. */
  boot: id,
  head: chainHead,
  /** Its running numbers on shared labels, as the broker has committed them up to the sequence `through`. */
  counters: z.object({ through: count, n: z.record(label, count) }),
  /** A session that is there in 5 characters: the first 4 of its claim's key, and the letter of its status. */
  sessions: z.string().regex(/^([A-Za-z0-9_-]{4}[iwpdx])*$/),
});

export const peerSession = z.object({
  id: z.string(),
  address: z.string(),
  type: sessionFace.shape.type,
  status: sessionFace.shape.status,
  summary: z.string().nullable(),
  cwd: z.string().nullable(),
  host: z.string(),
  sameHost: z.boolean(),
  repo: sessionFace.shape.repo,
  branch: sessionFace.shape.branch,
  model: sessionFace.shape.model,
  stats: sessionFace.shape.stats,
});

/** Whose place somebody takes: the one whom I knew, or had verified, under that name. */
export const keyChanged = z.object({ member: id, name: z.string(), verified: z.boolean() });

export type KeyChanged = z.infer<typeof keyChanged>;

export const peerListing = z.object({
  member: id,
  name: z.string(),
  workspace: z.string(),
  role,
  online: z.boolean(),
  you: z.boolean(),
  lastSeen: isoTime.nullable(),
  /** Whether I have compared the safety number. */
  verified: z.boolean(),
  /** Set where another key has come behind a name that I know: nothing is sent to it before it is accepted. */
  keyChanged: keyChanged.nullable(),
  sessions: z.array(peerSession),
});

const trusted = peerListing.pick({
  member: true,
  name: true,
  workspace: true,
  verified: true,
  keyChanged: true,
});

const other = z.string().min(1).max(200);

export const grantListing = z.object({
  member: id,
  name: z.string(),
  workspace: z.string(),
  /** Nothing of theirs is shown, whatever else is granted. */
  blocked: z.boolean(),
  rights: z.array(right),
  /** What they may do to one session of mine beyond that, by its name. */
  sessions: z.record(z.string(), z.array(right)),
});

export const peerMethods = methods({
  /** Members, with the sessions of those who are online. */
  list: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({ peers: z.array(peerListing) }),
  },
  /** One of them in detail. */
  show: {
    scope: "read",
    params: z.strictObject({ workspace, peer: z.string().min(1).max(200) }),
    result: peerListing.extend({
      /** Who made the invite; null for the owner. */
      invitedBy: z.string().nullable(),
      /** Of the root key, to compare outside of the mesh. */
      rootFingerprint: z.string(),
      devices: z.array(z.object({ id, fingerprint: z.string() })),
    }),
  },
  /** The safety number between me and one of them: both compare it, outside of the mesh. */
  verify: {
    scope: "read",
    params: z.strictObject({ workspace, peer: z.string().min(1).max(200) }),
    result: trusted.extend({
      /** Twelve groups of five digits. */
      digits: z.array(z.string()),
      /** The same key in eighteen words. */
      words: z.array(z.string()),
    }),
  },
  /** What I make of one's key, on all of my machines: `accepted` takes it as it is. */
  trust: {
    scope: "admin",
    params: z.strictObject({
      workspace,
      peer: z.string().min(1).max(200),
      as: z.enum(["verified", "accepted", "unverified"]),
    }),
    result: trusted,
  },
  /** Lets a member do that to me, or to that session of mine alone. */
  grant: {
    scope: "reach-out",
    params: z.strictObject({
      workspace,
      peer: other,
      rights: z.array(right).min(1).max(20),
      session: sessionFace.shape.name.optional(),
    }),
    result: grantListing,
  },
  /** Doesn't any more, in any session. What they write to me without that right is refused, and they are told. */
  revoke: {
    scope: "admin",
    params: z.strictObject({ workspace, peer: other, rights: z.array(right).min(1).max(20) }),
    result: grantListing,
  },
  /** What members may do to me. */
  grants: {
    scope: "read",
    params: z.strictObject({ workspace, peer: other.optional() }),
    result: z.object({ grants: z.array(grantListing) }),
  },
  /** Shows nothing of what a member says from now on, and tells them nothing: for them I am as if I were never there. */
  block: { scope: "admin", params: z.strictObject({ workspace, peer: other }), result: grantListing },
  /** Shows it again, with what was kept back. */
  unblock: { scope: "reach-out", params: z.strictObject({ workspace, peer: other }), result: grantListing },
  /** Members and sessions in whose names, folders, hosts or summaries each word occurs. */
  search: {
    scope: "read",
    params: z.strictObject({ workspace, query: z.string().min(1).max(200) }),
    result: z.object({ peers: z.array(peerListing) }),
  },
});

export type SessionFace = z.infer<typeof sessionFace>;
export type SessionStatus = z.infer<typeof sessionStatus>;
export type Face = z.infer<typeof face>;
export type PeerListing = z.infer<typeof peerListing>;
