/** Requests of sessions that wait for their person's yes, and what was decided of requests. */
import { z } from "zod";
import { idPart, isoTime, limit, methods, SCOPES } from "../method.ts";
import { recordId } from "../schema.ts";

/** expired: nobody answered in time · withdrawn: whoever asked has gone. */
export const approvalState = z.enum(["waiting", "approved", "denied", "expired", "withdrawn"]);

export const approval = z.object({
  id: recordId,
  state: approvalState,
  method: z.string(),
  scope: z.enum(SCOPES),
  /** As one would type it: `invite create`. */
  verb: z.string(),
  /** What it would do it with, in words. Secrets are named and not shown. */
  params: z.record(z.string(), z.string()),
  /** Slug of the one that it would be done in; null where it is about none. */
  workspace: z.string().nullable(),
  session: z.object({ id: z.string().nullable(), name: z.string().nullable() }),
  /** Name of my machine that it would be done on. */
  device: z.string(),
  at: isoTime,
  /** Nobody can say yes after that. */
  until: isoTime,
});

/** allowed: by the person at a terminal, who isn't asked · refused: by a rule, without asking anybody. */
export const decided = z.enum(["allowed", "approved", "denied", "expired", "withdrawn", "refused"]);

export const decision = z.object({
  at: isoTime,
  who: z.enum(["person", "session"]),
  session: z.string().nullable(),
  method: z.string(),
  scope: z.enum(SCOPES),
  workspace: z.string().nullable(),
  /** Of the request that waited, where one did. */
  approval: recordId.nullable(),
  decision: decided,
  /** Name of the machine at which the person said so. */
  by: z.string().nullable(),
  reason: z.string().nullable(),
});

/** What one of the person's machines asks another; nobody else is answered. */
export const questions = {
  /** The requests that wait there. */
  "approval.waiting": z.object({ kind: z.literal("approval.waiting") }),
  /** The person's word on one of them. */
  "approval.answer": z.object({ kind: z.literal("approval.answer"), id: recordId, yes: z.boolean() }),
};

export const waitingAnswer = z.object({ approvals: z.array(approval).max(100) });

const one = z.strictObject({ id: idPart });

export const approvalMethods = methods({
  /** Requests that wait for a yes, here and on those of my other machines that can be reached. */
  list: {
    scope: "read",
    params: z.strictObject({}),
    result: z.object({ approvals: z.array(approval) }),
  },
  /** One of them, or one that was decided here since the daemon began. */
  show: { scope: "read", params: one, result: approval },
  /** It is done now, exactly as it was asked, and once. */
  approve: { scope: "admin", byPerson: true, params: one, result: approval },
  /** It is not done. */
  deny: { scope: "admin", byPerson: true, params: one, result: approval },
  /** What was decided on this machine of what isn't free: the newest, oldest first. */
  decisions: {
    scope: "read",
    params: z.strictObject({ limit: limit.optional() }),
    result: z.object({ decisions: z.array(decision) }),
  },
});

export type Approval = z.infer<typeof approval>;
export type Decision = z.infer<typeof decision>;
