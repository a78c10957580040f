/** The person's own rules: which messages come before which of their sessions, and when. They stand in a file of the home. */
import { z } from "zod";
import { isoTime, methods, workspace } from "../method.ts";
import { role } from "../schema.ts";
import { priority } from "./message.ts";

/** What a message is; it may be several: one in a topic that names me is `topic` and `mention`. */
export const messageKind = z.enum(["direct", "session", "topic", "group", "everyone", "mention"]);

const outcome = z.enum(["accept", "hold", "refuse"]);

/** One value, or a list of them. */
function some<T extends z.ZodType>(one: T) {
  return z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(one).min(1).max(100));
}

const who = z.string().min(1).max(100);
const clock = z.string().regex(/^([01]?\d|2[0-3]):[0-5]\d$/, 'not a time like "22:00"');

/** Each condition that is given has to fit. */
export const inboundRule = z.strictObject({
  /** A member's name or id, or one session of theirs: `alice/payments`. */
  from: some(who).optional(),
  role: some(role).optional(),
  workspace: some(who).optional(),
  kind: some(messageKind).optional(),
  priority: some(priority).optional(),
  do: outcome,
});

export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

export const quietHours = z.strictObject({
  from: clock,
  to: clock,
  /** On which they begin; all without it. */
  days: some(z.enum(WEEKDAYS)).optional(),
  /** Whether `--priority now` comes through. */
  urgent: z.enum(["hold", "accept"]).default("hold"),
});

/** An empty key is as good as none. */
function orDefault<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => value ?? undefined, schema);
}

export const policy = z.strictObject({
  inbound: orDefault(z.array(inboundRule).max(500).default([])),
  quiet: orDefault(z.array(quietHours).max(50).default([])),
  /** Messages of one peer that a session is shown in a minute. */
  rate: orDefault(z.int().min(1).max(10_000).default(120)),
  hops: orDefault(z.int().min(1).max(1000).default(8)),
  /** The same words, from the same to the same within ten minutes. */
  repeats: orDefault(z.int().min(1).max(1000).default(3)),
  /** A day, for each session. */
  wakeups: orDefault(z.int().min(0).max(100_000).default(200)),
  bypass: orDefault(outcome.default("hold")),
});

export const policyMethods = methods({
  /** The rules in force. */
  show: {
    scope: "read",
    params: z.strictObject({}),
    result: z.object({
      path: z.string(),
      /** Why the file's rules aren't the ones in force; null: they are. */
      trouble: z.string().nullable(),
      policy,
      /** The file, as it is now; null where there is none. */
      text: z.string().nullable(),
    }),
  },
  /** Takes the place of the file, if it is right. */
  save: {
    scope: "admin",
    byPerson: true,
    params: z.strictObject({ text: z.string().max(200_000) }),
    result: z.object({ path: z.string(), policy }),
  },
  /** What would become of a message, and by which rule; what is counted (rates, repeats, wake-ups) counts as nothing. */
  test: {
    scope: "read",
    params: z.strictObject({
      workspace,
      from: who,
      to: who.optional(),
      kind: messageKind.optional(),
      priority: priority.optional(),
      hops: z.int().min(0).max(1_000_000).optional(),
      at: isoTime.optional(),
    }),
    result: z.object({
      /** later: held, and shown by itself. */
      outcome: z.enum(["accept", "hold", "refuse", "later"]),
      /** What decided: `inbound 2`, `quiet`, … */
      rule: z.string(),
      reason: z.string().nullable(),
      /** When a later one is looked at again; null where something else has to happen first. */
      until: isoTime.nullable(),
    }),
  },
});

export type Policy = z.infer<typeof policy>;
export type InboundRule = z.infer<typeof inboundRule>;
export type QuietHours = z.infer<typeof quietHours>;
export type MessageKind = z.infer<typeof messageKind>;
