/** Members and their sessions: what `peers` shows. Names travel sealed, in `member.profile`. */
import { z } from "zod";
import { isoTime, methods, workspace } from "../method.ts";
import { id, name, role } from "../schema.ts";

export const events = {
  /** To everyone: what its sender wants to be called. */
  "member.profile": z.object({ kind: z.literal("member.profile"), name }),
};

/** A session's face, as presence carries it to colleagues. */
export const sessionFace = z.object({
  id: z.string().max(100),
  /** Its name in addresses: `alice/NAME`. */
  name: z.string().max(64),
  type: z.enum(["claude", "other"]),
  status: z.enum(["idle", "working", "dnd"]),
  summary: z.string().max(200).nullable(),
  cwd: z.string().max(300).nullable(),
  host: z.string().max(100),
});

/** What a device says of itself while it is online; sealed under the epoch's key. */
export const face = z.object({ sessions: z.array(sessionFace) });

export const peerSession = z.object({
  id: z.string(),
  address: z.string(),
  type: sessionFace.shape.type,
  status: sessionFace.shape.status,
  summary: z.string().nullable(),
  cwd: z.string().nullable(),
  host: z.string(),
  sameHost: z.boolean(),
  repo: z.string().nullable(),
  branch: z.string().nullable(),
  model: z.string().nullable(),
  stats: z.record(z.string(), z.number()).nullable(),
});

export const peerListing = z.object({
  member: id,
  name: z.string(),
  workspace: z.string(),
  role,
  online: z.boolean(),
  you: z.boolean(),
  lastSeen: isoTime.nullable(),
  sessions: z.array(peerSession),
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
  /** Members and sessions in whose names, folders, hosts or summaries each word occurs. */
  search: {
    scope: "read",
    params: z.strictObject({ workspace, query: z.string().min(1).max(200) }),
    result: z.object({ peers: z.array(peerListing) }),
  },
});

export type SessionFace = z.infer<typeof sessionFace>;
export type Face = z.infer<typeof face>;
export type PeerListing = z.infer<typeof peerListing>;
