/** Notices: what the membership chain means for people. Each daemon derives them for itself; nobody sends them. */
import { z } from "zod";
import { isoTime } from "../method.ts";
import { id } from "../schema.ts";

export const noticeKind = z.enum([
  /** detail: how (link, e-mail, unattended), code of the invite */
  "joined",
  "left",
  "removed",
  /** detail: from, to */
  "role changed",
  /** detail: device */
  "device added",
  /** detail: devices, their ids with spaces between */
  "device revoked",
  "keys renewed",
  /** detail: from, the id before */
  "identity changed",
  /** Somebody wants in by an invite that was mailed. detail: words, code; email on the device that mailed it */
  "asks to join",
]);

const person = z.object({ id, name: z.string() });

export const notice = z.object({
  id: z.string(),
  workspace: z.string(),
  /** By the clock of whoever did it. */
  at: isoTime,
  kind: noticeKind,
  /** Whom it is about. */
  member: person,
  /** Who did it, or invited; null where that is the same person. */
  by: person.nullable(),
  detail: z.record(z.string(), z.string()),
  /** All of that in a sentence. */
  text: z.string(),
  read: z.boolean(),
});

export type NoticeKind = z.infer<typeof noticeKind>;
export type Notice = z.infer<typeof notice>;
