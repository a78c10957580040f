/** Topics: named rooms of a workspace. Everyone can list and join them; the broker sees an opaque label. */
import { z } from "zod";
import { done, isoTime, limit, methods, workspace } from "../method.ts";
import { id, name, recordId } from "../schema.ts";
import { message, sendOptions, sent } from "./message.ts";

export const events = {
  /** Puts of the sender's own. To have made a topic, and to follow it: a tombstone no longer does. */
  "topic.create": z.object({ kind: z.literal("topic.create"), name }),
  "topic.membership": z.object({ kind: z.literal("topic.membership"), name }),
  /** On the topic's label: the newest message that the member has read there. */
  "topic.read": z.object({ kind: z.literal("topic.read"), upTo: recordId }),
};

/** As typed: with or without the #. */
const topicName = z.string().min(1).max(100);
const one = z.strictObject({ workspace, topic: topicName });

export const topic = z.object({
  name,
  workspace: z.string(),
  joined: z.boolean(),
  /** On this machine: nothing said there counts as unread, except what names me. */
  muted: z.boolean(),
  unread: z.int(),
  mentions: z.int(),
  createdBy: z.string(),
  lastMessageAt: isoTime.nullable(),
});

export const topicMethods = methods({
  create: { scope: "write", params: one, result: topic },
  list: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({ topics: z.array(topic) }),
  },
  join: { scope: "write", params: one, result: topic },
  leave: { scope: "write", params: one, result: topic },
  mute: { scope: "write", params: one.extend({ muted: z.boolean() }), result: topic },
  /** Who follows it. */
  members: {
    scope: "read",
    params: one,
    result: z.object({
      members: z.array(
        z.object({
          member: id,
          name: z.string(),
          you: z.boolean(),
          online: z.boolean(),
          /** The newest message that the member has marked as read there, as far as it was told. */
          readUpTo: recordId.nullable(),
        }),
      ),
    }),
  },
  send: { scope: "write", params: z.strictObject({ ...sendOptions, topic: topicName }), result: sent },
  history: {
    scope: "read",
    params: one.extend({ limit: limit.optional(), markRead: z.boolean().optional() }),
    result: z.object({ messages: z.array(message) }),
  },
  tail: { scope: "read", params: one, result: done, event: message },
});

export type Topic = z.infer<typeof topic>;
