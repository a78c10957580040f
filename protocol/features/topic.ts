/** Topics: named rooms of a workspace. Everyone can list and join them; the broker sees an opaque label. */
import { z } from "zod";
import { done, isoTime, limit, methods, workspace } from "../method.ts";
import { bytes, id, name, recordId } from "../schema.ts";
import { message, sendOptions, sent } from "./message.ts";

export const events = {
  /** A put of the sender's own, to everyone. */
  "topic.create": z.object({ kind: z.literal("topic.create"), name }),
  /** A put of the sender's own, to everyone: it follows the topic; a tombstone: no longer. */
  "topic.membership": z.object({ kind: z.literal("topic.membership"), name }),
  /** A put of the sender's own, to the topic: the newest message that it has read there. */
  "topic.read": z.object({ kind: z.literal("topic.read"), upTo: recordId }),
  /** A put of the sender's own, to a member: the keys of a private topic, by generation. */
  "topic.keys": z.object({
    kind: z.literal("topic.keys"),
    label: id,
    keys: z.record(z.string().regex(/^(0|[1-9][0-9]{0,8})$/), bytes),
  }),
  /**
   * A put to a private topic's label, under the label itself as its key: who is in it from here on. The generation of
   * its key is the header's `kid`, the workspace's epoch the header's too.
   */
  "topic.roster": z.object({
    kind: z.literal("topic.roster"),
    name,
    /** Member id → what the member is called, for those who can't open what is said to everyone. */
    members: z.record(id, name),
  }),
};

/** As typed: with or without the #. */
export const topicName = z.string().min(1).max(100);
const one = z.strictObject({ workspace, topic: topicName });
/** As in addresses. */
const members = z.array(z.string().min(1).max(200)).max(1000);

export const topic = z.object({
  name,
  workspace: z.string(),
  joined: z.boolean(),
  /** On this machine: nothing said there counts as unread, except what names me. */
  muted: z.boolean(),
  unread: z.int(),
  mentions: z.int(),
  createdBy: z.string(),
  /** Only its members know of it, and whoever is in may add others. */
  private: z.boolean(),
  /** Names of those who are in a private one; null for one that everyone can join. */
  members: z.array(z.string()).nullable(),
  lastMessageAt: isoTime.nullable(),
});

export const topicMethods = methods({
  /** Makes one, and follows it. A private one is made with whom it is for. */
  create: {
    scope: "write",
    params: one.extend({ private: z.boolean().optional(), members: members.optional() }),
    result: topic,
  },
  /** One of them. */
  info: { scope: "read", params: one, result: topic },
  /** Members into a private topic; they read what was said before, too. */
  add: { scope: "reach-out", params: one.extend({ members: members.min(1) }), result: topic },
  /** Out of a private topic: nothing said from here on can be read by them. */
  remove: { scope: "write", params: one.extend({ members: members.min(1) }), result: topic },
  /** All that there are, followed or not, with what is unread. */
  list: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: z.object({ topics: z.array(topic) }),
  },
  /** Follows it from now on; what was said before is its history. */
  join: { scope: "write", params: one, result: topic },
  /** Follows it no longer; out of a private one. */
  leave: { scope: "write", params: one, result: topic },
  /** On this machine, or no longer. */
  mute: { scope: "write", params: one.extend({ muted: z.boolean() }), result: topic },
  /** Who follows it; who is in a private one. */
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
  /** Says something in it, and follows it: who speaks hears the answers. */
  send: { scope: "write", params: z.strictObject({ ...sendOptions, topic: topicName }), result: sent },
  /** The newest, oldest first; from the broker, where they aren't here. */
  history: {
    scope: "read",
    params: one.extend({ limit: limit.optional(), markRead: z.boolean().optional() }),
    result: z.object({ messages: z.array(message) }),
  },
  /** What is said in it, as it is said; follows it. */
  tail: { scope: "read", params: one, result: done, event: message },
});

export type Topic = z.infer<typeof topic>;
