/** What the broker was checked for, and what the membership chain says. */
import { z } from "zod";
import { isoTime, methods, workspace } from "../method.ts";

/**
 * withheld: numbered records or membership entries that the broker doesn't give · forked: two of one number or place ·
 * expired: gone by retention · restored: the broker began another log, where values may be older than they were ·
 * refused: what can't be true, by its code.
 */
export const finding = z.object({
  type: z.enum(["withheld", "forked", "expired", "restored", "refused"]),
  member: z.string().nullable(),
  label: z.string().nullable(),
  count: z.int(),
  detail: z.string(),
});

const entry = z.object({
  height: z.int(),
  /** Null for an entry that the broker hasn't taken in yet. */
  seq: z.int().nullable(),
  type: z.string(),
  by: z.string(),
  at: isoTime,
  detail: z.string(),
});

export const auditMethods = methods({
  /** Who did what to the workspace, from the signed chain, and what doesn't add up in the log. */
  show: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({
      workspaces: z.array(
        z.object({ workspace: z.string(), entries: z.array(entry), findings: z.array(finding) }),
      ),
    }),
  },
  /** Checks every signature that this machine holds again. */
  verify: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({
      workspaces: z.array(
        z.object({
          workspace: z.string(),
          ok: z.boolean(),
          entries: z.int(),
          records: z.int(),
          findings: z.array(finding),
        }),
      ),
    }),
  },
});

export type Finding = z.infer<typeof finding>;
