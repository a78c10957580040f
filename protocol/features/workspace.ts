/** Workspaces and the doors into them. */
import { z } from "zod";
import { methods, workspace } from "../method.ts";
import { id, name, role } from "../schema.ts";

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

const changedMember = z.object({ member: id, name: z.string(), role, workspace: z.string() });

/** `offered`: the workspace is theirs once they take it. `taken`: it is. `withdrawn`: it isn't offered any more. */
export const roleOutcome = z.enum(["changed", "offered", "taken", "withdrawn"]);

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
      /** Who may take it over. */
      offeredTo: z.string().nullable(),
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
    scope: "destructive",
    params: z.strictObject({ workspace: z.string().min(1) }),
    result: z.object({ id, slug: z.string() }),
  },
  /** Shuts a member out: from now on nothing is sealed to them, and all open invites are void. */
  remove: {
    scope: "destructive",
    params: z.strictObject({ workspace, member: z.string().min(1).max(200) }),
    result: changedMember,
  },
  /**
   * Owner: said by the owner it offers the workspace to the member, of oneself it takes the offer back; said by that
   * member of themselves it takes the workspace over, and the former owner is an admin.
   */
  role: {
    scope: "admin",
    params: z.strictObject({ workspace, member: z.string().min(1).max(200), role }),
    result: changedMember.extend({ outcome: roleOutcome }),
  },
  /** Begins a new epoch: what is said from now on is sealed under a new key. */
  rotate: {
    scope: "admin",
    params: z.strictObject({ workspace }),
    result: z.object({ id, slug: z.string(), epoch: z.int() }),
  },
  /** Leaves it, and removes it from this machine; the owner hands it over first. */
  leave: {
    scope: "destructive",
    params: z.strictObject({ workspace: z.string().min(1) }),
    result: z.object({ id, slug: z.string() }),
  },
});

export type LinkState = z.infer<typeof linkState>;
export type ListedWorkspace = z.infer<typeof listed>;
export type WorkspaceMember = z.infer<typeof workspaceMember>;
export type RoleOutcome = z.infer<typeof roleOutcome>;
