/** Workspaces and the doors into them. */
import { z } from "zod";
import { isoTime, methods, workspace } from "../method.ts";
import { id, inviteCode, name, role } from "../schema.ts";

export const events = {
  /** A put of the sender's own, to everyone, by an owner or an admin: the workspace's own name. */
  "workspace.profile": z.object({ kind: z.literal("workspace.profile"), name }),
};

export const linkState = z.enum(["online", "connecting", "offline"]);

export const listed = z.object({
  id,
  slug: z.string(),
  /** Null for one that lives on this machine only. */
  broker: z.string().nullable(),
  role: role.nullable(),
  link: linkState,
  members: z.int(),
  unread: z.int(),
  /** The one that writes go to. */
  used: z.boolean(),
});

export const workspaceMember = z.object({
  member: id,
  name: z.string(),
  role,
  you: z.boolean(),
  online: z.boolean(),
  /** Who made the invite; null for the owner. */
  invitedBy: z.string().nullable(),
});

export const listedInvite = z.object({
  code: inviteCode,
  workspace: z.string(),
  role,
  uses: z.int(),
  used: z.int(),
  expiresAt: isoTime,
  by: z.string(),
  state: z.enum(["open", "used up", "expired"]),
});

export const workspaceMethods = methods({
  /** Those that this account is in, or about to join. */
  list: { scope: "read", params: z.strictObject({}), result: z.object({ workspaces: z.array(listed) }) },
  /** A new one, owned by this account; a broker learns of it once there is a link. */
  create: {
    scope: "write",
    params: z.strictObject({ name: z.string().min(1).max(100) }),
    result: z.object({ id, slug: z.string(), broker: z.string().nullable() }),
  },
  /** The one that writes go to without a workspace. */
  use: { scope: "write", params: z.strictObject({ workspace: z.string().min(1) }), result: listed },
  /** One in detail. */
  info: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: listed.extend({
      owner: z.string().nullable(),
      epoch: z.int(),
      chain: z.object({ height: z.int(), hash: z.string() }).nullable(),
      cursor: z.int(),
      outbox: z.int(),
      /** Why it can't be used to the full at the moment. */
      note: z.string().nullable(),
    }),
  },
  /** Who is in it. */
  members: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({ members: z.array(workspaceMember) }),
  },
  /** Its name on this machine; colleagues keep theirs. */
  rename: {
    scope: "write",
    params: z.strictObject({ workspace, name: z.string().min(1).max(100) }),
    result: z.object({ id, slug: z.string() }),
  },
  /** Of a workspace that nobody else is in: it goes from this machine. */
  delete: {
    scope: "admin",
    params: z.strictObject({ workspace: z.string().min(1) }),
    result: z.object({ id, slug: z.string() }),
  },
  /** Leaves it, and removes it from this machine; the owner can't. */
  leave: {
    scope: "admin",
    params: z.strictObject({ workspace: z.string().min(1) }),
    result: z.object({ id, slug: z.string() }),
  },
});

export const inviteMethods = methods({
  /** A link that lets others in. Its secret is in the answer and nowhere else. */
  create: {
    scope: "admin",
    params: z.strictObject({
      workspace,
      role: role.exclude(["owner"]).optional(),
      uses: z.int().min(1).max(10_000).optional(),
      /** Milliseconds from now; 7 days without it. */
      expiresInMs: z
        .int()
        .min(1)
        .max(365 * 86_400_000)
        .optional(),
    }),
    result: z.object({ url: z.string(), code: inviteCode, role, expiresAt: isoTime, uses: z.int() }),
  },
  /** Those that were made, oldest first, and how often they were used. */
  list: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({ invites: z.array(listedInvite) }),
  },
  /** Joins by a link; waits until the broker has taken it in. */
  accept: {
    scope: "admin",
    params: z.strictObject({
      url: z.string().min(1).max(2000),
      waitMs: z.int().min(1).max(3_600_000).optional(),
    }),
    result: z.object({
      id,
      slug: z.string(),
      member: z.object({ id, name: z.string(), role }),
      /** True while no member who is online has handed over the key yet. */
      waiting: z.boolean(),
    }),
  },
});

export type LinkState = z.infer<typeof linkState>;
export type ListedWorkspace = z.infer<typeof listed>;
export type WorkspaceMember = z.infer<typeof workspaceMember>;
export type ListedInvite = z.infer<typeof listedInvite>;
