/** Invites, by link and by e-mail: the doors into a workspace. */
import { z } from "zod";
import { isoTime, methods, secret, workspace } from "../method.ts";
import { email, id, inviteCode, role } from "../schema.ts";

export const listedInvite = z.object({
  code: inviteCode,
  workspace: z.string(),
  role,
  uses: z.int(),
  used: z.int(),
  /** Who came in by it, by their own clocks. */
  usedBy: z.array(z.object({ member: id, name: z.string(), at: isoTime.nullable() })),
  expiresAt: isoTime,
  by: z.string(),
  /** Whoever has the link gets the workspace's key from it. */
  unattended: z.boolean(),
  /** Where it was sent, on the device that it was made on; null else. */
  email: z.string().nullable(),
  /** Who asks to join by it, for those who may invite. On that device: let in whoever says these words. */
  requests: z.array(z.object({ member: id, words: z.string(), at: isoTime })),
  /** By e-mail: pending until somebody is let in, then accepted. */
  state: z.enum(["open", "used up", "expired", "revoked", "pending", "accepted"]),
});

export const inviteMethods = methods({
  /** A link that lets others in. Its secret is in the answer and nowhere else. */
  create: {
    scope: "reach-out",
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
      /** The link carries the workspace's key, so that nobody need be online when it is used. */
      unattended: z.literal(true).optional(),
      /** The broker sends the link there, without its secret: who has it may ask to be let in. */
      email: email.optional(),
    }),
    result: z.object({
      url: z.string(),
      code: inviteCode,
      role,
      expiresAt: isoTime,
      uses: z.int(),
      unattended: z.literal(true).optional(),
      email: z.string().optional(),
    }),
  },
  /** Those that were made, oldest first, and how often they were used. */
  list: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({ invites: z.array(listedInvite) }),
  },
  /** Lets nobody in by it any more. */
  revoke: {
    scope: "admin",
    params: z.strictObject({ workspace, code: inviteCode }),
    result: z.object({ code: inviteCode, workspace: z.string() }),
  },
  /** Lets in whoever asked by an invite that went by e-mail, and has these six words. */
  approve: {
    scope: "reach-out",
    params: z.strictObject({ workspace, code: inviteCode, words: z.string().min(1).max(200) }),
    result: z.object({ code: inviteCode, workspace: z.string(), member: id, words: z.string() }),
  },
  /**
   * Joins by a link; waits until the broker has taken it in. By one from an e-mail, asks to be let in: it goes on by
   * itself when nobody has approved in time.
   */
  accept: {
    scope: "admin",
    params: z.strictObject({
      url: secret(z.string().min(1).max(2000)),
      waitMs: z.int().min(1).max(3_600_000).optional(),
    }),
    result: z.object({
      id,
      slug: z.string(),
      member: z.object({ id, name: z.string(), role }),
      /** True while no member who is online has handed over the key yet. */
      waiting: z.boolean(),
      /** Nobody has let us in yet; `words` are for the inviter. */
      state: z.literal("waiting for approval").optional(),
      words: z.string().optional(),
    }),
  },
});

export type ListedInvite = z.infer<typeof listedInvite>;
