/** Groups: who answers to `@backend`. Being in one is a value of the member's own, so nobody puts another in. */
import { z } from "zod";
import { methods, workspace } from "../method.ts";
import { id, name } from "../schema.ts";

/** What one does in it, in a word or two. */
const part = z.string().min(1).max(60);

export const events = {
  /** A put of the sender's own, a cell for each group; a tombstone leaves it. */
  "group.membership": z.object({ kind: z.literal("group.membership"), name, part: part.nullable() }),
};

/** As typed: with or without the @. */
const groupName = z.string().min(1).max(100);

export const group = z.object({
  name,
  workspace: z.string(),
  joined: z.boolean(),
  members: z.array(z.object({ member: id, name: z.string(), role: part.nullable() })),
});

export const groupMethods = methods({
  join: {
    scope: "write",
    params: z.strictObject({ workspace, group: groupName, role: part.optional() }),
    result: group,
  },
  leave: { scope: "write", params: z.strictObject({ workspace, group: groupName }), result: group },
  list: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({ groups: z.array(group) }),
  },
});

export type Group = z.infer<typeof group>;
