/** What a session did, as its transcript tells: asked of the device that holds it, and answered without its model. */
import { z } from "zod";
import { isoTime } from "../method.ts";
import { count } from "../schema.ts";
import { sessionFace } from "./member.ts";

export const ABOUT = ["files", "commands", "tests", "summary"] as const;

/** Of entries in one answer, and of its JSON in bytes. */
export const MOST_ENTRIES = 200;
export const MOST_BYTES = 16 * 1024;

const about = z.array(z.enum(ABOUT)).min(1).max(ABOUT.length);

/** How far back from now, at most ten years. */
export const askedMs = z
  .int()
  .min(1)
  .max(3650 * 24 * 60 * 60 * 1000);

export const questions = {
  /** Null session: the last active one. Nothing of the question's words travels. */
  "session.ask": z.object({
    kind: z.literal("session.ask"),
    session: sessionFace.shape.name.nullable(),
    about,
    sinceMs: askedMs,
    /** Entries of each kind at most. */
    limit: z.int().min(1).max(MOST_ENTRIES),
  }),
};

const text = z.string().max(MOST_BYTES);
/** Null: it still ran, or wasn't told. */
const ok = z.boolean().nullable();

/** Secrets are hidden, paths outside of the session's folder counted only, and nothing is told of what files hold. Oldest first. */
export const transcriptAnswer = z.object({
  session: z.object({
    address: text,
    /** Null for one that isn't there any more. */
    status: sessionFace.shape.status.nullable(),
    model: text.nullable(),
    branch: text.nullable(),
  }),
  about,
  /** The time that was looked at: it ends with the last entry. */
  since: isoTime,
  until: isoTime,
  files: z.array(z.object({ path: text, edits: count, created: z.boolean() })).max(MOST_ENTRIES),
  commands: z.array(z.object({ command: text, at: isoTime, ok })).max(MOST_ENTRIES),
  /** `line`: what the runner says at the end. */
  tests: z.array(z.object({ command: text, at: isoTime, ok, line: text.nullable() })).max(MOST_ENTRIES),
  /** The newest of: the client's own summary of what went before, its person's line, the model's last words. */
  summary: z
    .object({ from: z.enum(["compact", "session", "words"]), at: isoTime.nullable(), text })
    .nullable(),
  more: z.object({
    /** Older ones that there was no room for. */
    files: count,
    commands: count,
    tests: count,
    /** Files outside of the session's folder that were edited. */
    outside: count,
    /** The transcript was too long to be read back to the time asked for. */
    earlier: z.boolean(),
  }),
});

export type About = (typeof ABOUT)[number];
export type TranscriptAnswer = z.infer<typeof transcriptAnswer>;
export type SessionQuestion = z.infer<(typeof questions)["session.ask"]>;
