/** The daemon itself, the sessions attached to it, and what happens in it as it happens. */
import { z } from "zod";
import { done, isoTime, methods, workspace } from "../method.ts";
import { id } from "../schema.ts";
import { askedMs, transcriptAnswer } from "./ask.ts";
import { sessionFace } from "./member.ts";
import { message } from "./message.ts";
import { notice } from "./notice.ts";
import { linkState } from "./workspace.ts";

export const events = {
  /** Passes through everything and is shown nowhere: the self-check's message. */
  probe: z.object({ kind: z.literal("probe"), at: z.int() }),
  /** Fills the place of a record that was refused for good, so that its number is not missing. */
  void: z.object({ kind: z.literal("void") }),
};

/** Null `ok`: it can't be told, or doesn't apply. `fix` says what to do where something is wrong. */
export const check = z.object({
  name: z.string(),
  ok: z.boolean().nullable(),
  detail: z.string(),
  fix: z.string().nullable(),
});

export type Check = z.infer<typeof check>;

export const daemonMethods = methods({
  /** The daemon, its links, what is unread and what waits to be sent. */
  status: {
    scope: "read",
    params: z.strictObject({}),
    result: z.object({
      daemon: z.object({
        pid: z.int(),
        version: z.string(),
        uptimeMs: z.int(),
        home: z.string(),
        socket: z.string(),
        /** Where the person's rules stand, and why those of the file aren't in force; null at a workspace's own socket. */
        policy: z.object({ path: z.string(), trouble: z.string().nullable() }).nullable(),
      }),
      account: z.object({ userId: id, name: z.string() }),
      broker: z.object({ url: z.string().nullable(), embedded: z.boolean() }),
      workspaces: z.array(
        z.object({
          id,
          slug: z.string(),
          broker: z.string().nullable(),
          link: linkState,
          outbox: z.int(),
          unread: z.int(),
          cursor: z.int(),
          /** Why it can't be used to the full at the moment. */
          trouble: z.string().nullable(),
          /** The socket that leads to this workspace alone. */
          socket: z.string().nullable(),
        }),
      ),
    }),
  },
  /** Ends the daemon; the connection ends with the process. With `olderThan`, a version: only one older than that. */
  stop: {
    scope: "admin",
    params: z.strictObject({ olderThan: z.string().max(50).optional() }),
    result: z.object({ stopping: z.boolean() }),
  },
  /** What the daemon alone can tell: its links, clocks, and what it was sent. */
  doctor: {
    scope: "read",
    params: z.strictObject({}),
    result: z.object({ checks: z.array(check) }),
  },
  /** One message through everything and back, timed. */
  selfCheck: {
    scope: "write",
    params: z.strictObject({}),
    /** Each hop of one message in order, in µs since the hop before. */
    result: z.object({ hops: z.array(z.object({ hop: z.string(), us: z.int() })), totalUs: z.int() }),
  },
});

/** The session that speaks, as colleagues see it. */
export const ownFace = z.object({
  id: z.string(),
  name: z.string(),
  address: z.string(),
  status: sessionFace.shape.status,
  summary: z.string().nullable(),
});

/** A Claude client on this machine: its process, and the folder of its configuration. */
const claudeClient = z.strictObject({ pid: z.int().min(1), config: z.string().min(1).max(4096) });

/**
 * How a session is reached, the surest first: its client's inbox, a hook that waits and wakes it, a hook at its next
 * prompt; or, of what is no Claude client, the stream that it opened.
 */
export const reach = z.enum(["inbox", "wake", "context", "stream"]);

const sessionEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("message"), message }),
  z.object({ type: z.literal("post"), post: z.int(), line: z.string() }),
]);

export const sessionMethods = methods({
  /** Shows a session to colleagues for as long as the connection lives. */
  attach: {
    scope: "write",
    params: z.strictObject({
      id: z.string().min(1).max(100),
      cwd: z.string().min(1).max(4096),
      host: z.string().max(100),
      claude: claudeClient.extend({ inbox: z.boolean() }).optional(),
    }),
    result: z.object({ name: z.string(), address: z.string() }),
    /** A message; or, for a Claude client, a line for its inbox socket, to be answered with `session.posted`. */
    event: sessionEvent,
  },
  /** That line has been written to the session's inbox, or why not. */
  posted: {
    scope: "write",
    params: z.strictObject({ post: z.int(), failed: z.string().max(500).optional() }),
    result: done,
  },
  /** Those attached to this daemon. */
  list: {
    scope: "read",
    params: z.strictObject({}),
    result: z.object({
      sessions: z.array(
        sessionFace.extend({
          since: isoTime,
          reach,
          /** Why what is sent to it doesn't come to its model at once, if that is so. */
          trouble: z.string().nullable(),
        }),
      ),
    }),
  },
  /**
   * For a session whose client has no inbox: what waits for it, for a hook to put before its model. `wait` answers once
   * something comes, or when another takes its place.
   */
  hook: {
    scope: "write",
    params: z.strictObject({ event: z.enum(["wait", "prompt"]), claude: claudeClient }),
    result: z.object({ text: z.string().nullable() }),
  },
  /** What its status line shows, for what its client tells the status line. */
  line: {
    scope: "write",
    params: z.strictObject({
      id: z.string().min(1).max(100),
      model: z.string().max(100).optional(),
      /** `costUsd`, `contextTokens`, `contextPercent`, as far as they are known. */
      stats: z.record(z.string().max(40), z.number()),
    }),
    result: z.object({
      /** Null where there is none but the person's own. */
      workspace: z.string().nullable(),
      online: z.int(),
      members: z.int(),
      unread: z.int(),
    }),
  },
  /** Another name for the session that speaks. What is sent to an old one still comes to it. */
  name: { scope: "write", params: z.strictObject({ name: z.string().min(1).max(100) }), result: ownFace },
  /** What it works on, in a line; an empty one takes it away. */
  summary: { scope: "write", params: z.strictObject({ text: z.string().max(200) }), result: ownFace },
  /** Whether it may be disturbed. */
  status: {
    scope: "write",
    params: z.strictObject({ status: z.enum(["idle", "working", "dnd"]) }),
    result: ownFace,
  },
  /** What it has sent and was sent. */
  stats: {
    scope: "read",
    params: z.strictObject({}),
    result: ownFace.extend({ since: isoTime, sent: z.int(), received: z.int(), unread: z.int() }),
  },
  /**
   * What a session did, from its transcript: its model isn't woken. The question's words say what is wanted, and maybe of
   * which time. A colleague's only with their grant.
   */
  ask: {
    scope: "read",
    params: z.strictObject({
      workspace,
      peer: z.string().min(1).max(200),
      question: z.string().max(1000),
      /** How far back from now; what the question says, else a day. */
      sinceMs: askedMs.optional(),
    }),
    result: transcriptAnswer,
  },
});

export const feedEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("message"), at: isoTime, message }),
  z.object({ type: z.literal("link"), at: isoTime, workspace: z.string(), state: linkState }),
  z.object({
    type: z.literal("peer"),
    at: isoTime,
    workspace: z.string(),
    name: z.string(),
    verified: z.boolean(),
    online: z.boolean(),
  }),
  /** Somebody writes in a topic, or to everyone. */
  z.object({
    type: z.literal("typing"),
    at: isoTime,
    workspace: z.string(),
    name: z.string(),
    to: z.string(),
  }),
  z.object({ type: z.literal("notice"), at: isoTime, notice }),
]);

export const feedMethods = methods({
  /** What happens in all workspaces, as it happens. */
  open: { scope: "read", params: z.strictObject({}), result: done, event: feedEvent },
});

export type Reach = z.infer<typeof reach>;
export type SessionEvent = z.infer<typeof sessionEvent>;
export type FeedEvent = z.infer<typeof feedEvent>;
