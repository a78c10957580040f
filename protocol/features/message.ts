/** Messages: from a member, or a session of theirs, to a member, a session, a topic or everyone. */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { done, idPart, isoTime, limit, methods, mintedId, workspace } from "../method.ts";
import { id, recordId } from "../schema.ts";
import { keyChanged } from "./member.ts";
import { notice } from "./notice.ts";

export const priority = z.enum(["now", "next", "low"]);

/** How far a message came, in order; the last three end it. */
export const deliveryState = z.enum([
  "queued",
  "stored",
  "delivered",
  "handed over",
  "seen",
  "answered",
  "held",
  "refused",
  "expired",
]);

export const events = {
  /** To one's own label: messages that this member has read, for their other machines. */
  "message.read": z.object({
    kind: z.literal("message.read"),
    ids: z.array(recordId).min(1).max(LIMITS.readsAtOnce),
  }),
  /** To a member, a topic or everyone. */
  message: z.object({
    kind: z.literal("message"),
    text: z.string(),
    /** The address as the sender wrote it, its name made whole. */
    to: z.string(),
    /** Name of the one session meant; `*` for all of the member's. */
    toSession: z.string().optional(),
    /** Name of the session that speaks. */
    session: z.string().optional(),
    /** Name of the topic, in a topic's label. */
    topic: z.string().optional(),
    /** Name of the group, in a group's label. */
    group: z.string().optional(),
    replyTo: recordId.optional(),
    /** The message that began the conversation, where it isn't this one. */
    thread: recordId.optional(),
    /** Members named with @ in the text. */
    mentions: z.array(id).max(100),
    priority,
    sentAt: z.int().min(0),
    /** How many sessions it has come through, one because of the other, since a person typed; none: a person says it. */
    hops: z.int().min(0).max(1_000_000).optional(),
  }),
};

export const signals = {
  /** Somebody writes in a topic or to everyone: shown for some seconds. */
  typing: z.object({ kind: z.literal("typing"), to: z.string().max(100) }),
};

/** A message as every verb shows it. */
export const message = z.object({
  id: recordId,
  workspace: z.string(),
  from: z.object({
    member: id,
    name: z.string(),
    address: z.string(),
    /** Whether I have compared the safety number. */
    verified: z.boolean(),
    /** Set where another key has come behind a name that I know. */
    keyChanged: keyChanged.nullable(),
  }),
  to: z.string(),
  topic: z.string().nullable(),
  text: z.string(),
  replyTo: recordId.nullable(),
  thread: recordId.nullable(),
  mentioned: z.boolean(),
  priority,
  sentAt: isoTime,
  /** Null until the broker has given it its place. */
  receivedAt: isoTime.nullable(),
  read: z.boolean(),
  /** It was about to be shown to a session when a machine was cut short: it is not shown there again. */
  possiblyShown: z.boolean(),
  /** Why it isn't shown to the session that it is for, where it is held. */
  held: z.string().nullable(),
});

export const sent = z.object({ id: recordId, workspace: z.string(), to: z.string(), state: deliveryState });

export const waitFor = z.enum(["stored", "delivered", "seen"]);

const handled = z.object({ id: recordId, workspace: z.string() });

/** Some that are held, or all. */
const someHeld = z.strictObject({
  workspace,
  ids: z.array(idPart).max(1000).optional(),
  all: z.boolean().optional(),
});

const wait = { wait: waitFor.optional(), waitMs: z.int().min(1).max(3_600_000).optional() };

export const sendOptions = {
  id: mintedId,
  workspace,
  text: z.string(),
  replyTo: idPart.optional(),
  priority: priority.optional(),
  ...wait,
};

export const messageMethods = methods({
  /** Into the outbox, in one commit; with `wait`, answers once it came that far. */
  send: {
    scope: "write",
    params: z.strictObject({
      ...sendOptions,
      to: z.string().max(200).optional(),
      toSession: z.string().max(100).optional(),
    }),
    result: sent,
  },
  /**
   * What is addressed to me (in a session: to it, without what is held for its person), and what became of the membership:
   * the newest, oldest first. `held`: what is held, alone.
   */
  inbox: {
    scope: "read",
    params: z.strictObject({
      workspace,
      unread: z.boolean().optional(),
      held: z.boolean().optional(),
      markRead: z.boolean().optional(),
      limit: limit.optional(),
    }),
    result: z.object({ messages: z.array(message), notices: z.array(notice) }),
  },
  /** Tells those who follow a topic, or everyone, that somebody writes. */
  typing: {
    scope: "write",
    params: z.strictObject({ workspace, to: z.string().max(200) }),
    result: done,
  },
  /** The newest with whoever `with` names (a member, a session, a topic, everyone), or with everybody; oldest first. */
  history: {
    scope: "read",
    params: z.strictObject({
      workspace,
      with: z.string().min(1).max(200).optional(),
      limit: limit.optional(),
      markRead: z.boolean().optional(),
    }),
    result: z.object({ messages: z.array(message) }),
  },
  /** Messages in which each word begins one of theirs, the best first. */
  search: {
    scope: "read",
    params: z.strictObject({ workspace, query: z.string().min(1).max(200), limit: limit.optional() }),
    result: z.object({ messages: z.array(message) }),
  },
  /** What comes to the inbox, as it comes. */
  tail: {
    scope: "read",
    params: z.strictObject({ workspace }),
    result: done,
    event: z.union([message, z.object({ notice })]),
  },
  /** One message, whole. */
  show: {
    scope: "read",
    params: z.strictObject({ workspace, id: idPart }),
    result: message,
  },
  /** Shows held messages to their sessions after all, once. */
  release: {
    scope: "admin",
    byPerson: true,
    params: someHeld,
    result: z.object({ released: z.array(handled) }),
  },
  /** Held messages are shown to no session any more; their senders see them refused. */
  drop: {
    scope: "destructive",
    byPerson: true,
    params: someHeld,
    result: z.object({ dropped: z.array(handled) }),
  },
  /** What became of a message of mine. */
  status: {
    scope: "read",
    params: z.strictObject({ workspace, id: idPart }),
    result: z.object({
      id: recordId,
      to: z.string(),
      receipts: z.array(
        z.object({
          state: deliveryState,
          at: isoTime,
          by: z.string().nullable(),
          detail: z.string().nullable(),
        }),
      ),
    }),
  },
});

export type MessageEvent = z.infer<typeof events.message>;
export type Message = z.infer<typeof message>;
export type DeliveryState = z.infer<typeof deliveryState>;
