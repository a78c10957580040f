/**
 * Frames between a daemon and a broker. Control frames are text; a record travels in a binary frame,
 * `u16 length ‖ outer JSON ‖ record`, so the broker forwards the record's bytes without touching them.
 */
import { z } from "zod";
import { concat, fromBase64url, readU16, toBase64url, u16, utf8 } from "./bytes.ts";
import { certifiedDevice } from "./certificate.ts";
import { MeshError } from "./errors.ts";
import { signatureInput } from "./hash.ts";
import { joinAnswer, joinRequest } from "./join-request.ts";
import { strictJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { bytes, chainHead, count, email, id, inviteCode, label, recordId, time } from "./schema.ts";

const request = z.int().min(1);
const labels = z.array(label).max(LIMITS.labels);

/** The first frame of a connection, from the broker. */
export const challenge = z.strictObject({ type: z.literal("challenge"), protocol: count, nonce: bytes });

/**
 * Who connects, to which workspace, and how far it has read. Signed by the device; by the invite key too, to join. A new
 * device of a member's shows its certificate instead.
 */
export const hello = z.strictObject({
  type: z.literal("hello"),
  protocol: count,
  /** The broker meant, as the device knows it. */
  origin: z.string().max(300),
  workspace: id,
  member: id,
  /** The device's public key. */
  key: bytes,
  /** The log that the cursor belongs to; null before the first. */
  logId: id.nullable(),
  cursor: count,
  /** A record that it has at or below the cursor, the newest: a broker that has another there isn't the one it was. */
  last: z.strictObject({ seq: z.int().min(1), id: recordId }).nullable(),
  labels,
  signature: bytes,
  invite: z.strictObject({ code: inviteCode, signature: bytes }).optional(),
  certificate: certifiedDevice.omit({ key: true }).optional(),
});

export const helloAck = z.strictObject({
  type: z.literal("hello_ack"),
  /** What the connection may do: speak as a member, send the entry by which it comes in, or send the genesis of a workspace unknown here. */
  standing: z.enum(["member", "joining", "founding"]),
  logId: id,
  /** The log's newest sequence, 0 for an empty one. */
  head: count,
  /** Appends up to here are gone by age or quota. */
  floor: count,
  /**
   * Where the pushes begin: after the cursor; anew from the start, because this is another log; or with a snapshot,
   * because the cursor lies below the floor: what isn't pushed again by `head` is no more.
   */
  resume: z.enum(["cursor", "snapshot", "start"]),
  chain: chainHead.nullable(),
  heartbeatMs: z.int().min(1),
});

export const ack = z.strictObject({ type: z.literal("ack"), id: recordId, seq: count, at: time });

/** Gives back flow credit; means nothing else. */
export const received = z.strictObject({ type: z.literal("received"), records: count, bytes: count });

export const subscribe = z.strictObject({ type: z.literal("subscribe"), request, labels });
export const unsubscribe = z.strictObject({ type: z.literal("unsubscribe"), labels });
/** Records above `head` will be pushed; earlier ones, down to `floor`, come by `read`. */
export const subscribed = z.strictObject({
  type: z.literal("subscribed"),
  request,
  head: count,
  floor: count,
});

/** History of one label, newest first, below the sequence `before`. */
export const read = z.strictObject({
  type: z.literal("read"),
  request,
  label,
  before: count,
  limit: z.int().min(1).max(LIMITS.page),
});
/** Closes a `read`, after its `item` frames. */
export const page = z.strictObject({ type: z.literal("page"), request, more: z.boolean() });

/** A device's sealed face, to the broker. `counter` rises with each; a `sealed` of "" says goodbye. */
export const presence = z.strictObject({
  type: z.literal("presence"),
  member: id,
  dev: id,
  counter: z.int().min(1),
  epoch: count,
  sealed: bytes.max(2 * LIMITS.presence),
  signature: bytes,
});
/**
 * What changed of who is there since the version before. Told once a tick at most; where more devices are than can be
 * told unasked, `more` says that there is something to `pull`.
 */
export const faces = z.strictObject({
  type: z.literal("faces"),
  /** Set in the answer to a `pull`. */
  request: request.optional(),
  version: count,
  faces: z.array(presence).max(LIMITS.faces),
  /** Their lease ran out, or they said goodbye. */
  absent: z.array(z.strictObject({ dev: id, lastSeen: time })).max(LIMITS.faces),
  more: z.boolean(),
});
/** What changed of who is there after a version; 0: everybody. */
export const pull = z.strictObject({ type: z.literal("pull"), request, after: count });

/**
 * Something that matters now and is never stored: to one device, which answers or is `gone`, or to all who follow a
 * label. Signed over its target, its sender's boot and a number that rises within the boot.
 */
export const signal = z.strictObject({
  type: z.literal("signal"),
  member: id,
  dev: id,
  /** Drawn when the sender started. */
  boot: id,
  number: z.int().min(1),
  to: z.union([z.strictObject({ member: id, dev: id }), z.strictObject({ label })]),
  /** The receiver's boot, where one device is meant: what was said to its former life is no more. */
  toBoot: id.nullable(),
  epoch: count,
  sealed: bytes.max(2 * LIMITS.signal),
  signature: bytes,
});
/** Asks for an invite's link to be sent by e-mail; the broker keeps no address. */
export const mail = z.strictObject({ type: z.literal("mail"), request, code: inviteCode, email });
export const mailed = z.strictObject({ type: z.literal("mailed"), request });
/** Who asks to join by an invite that was mailed, and waits. */
export const requests = z.strictObject({ type: z.literal("requests"), request, code: inviteCode });
export const requested = z.strictObject({
  type: z.literal("requested"),
  /** Set in the answer to `requests`; else there is somebody new, and it is told to whoever made the invite. */
  request: request.optional(),
  code: inviteCode,
  requests: z.array(z.strictObject({ at: time, request: joinRequest })).max(LIMITS.joinRequests),
});
/** Lets one of them in. */
export const answer = z.strictObject({
  type: z.literal("answer"),
  request,
  code: inviteCode,
  user: id,
  answer: joinAnswer,
});
export const answered = z.strictObject({ type: z.literal("answered"), request });

/**
 * Whom this member doesn't want to hear, all of them: what they send to the member alone isn't pushed from here on, nor is it told
 * that they are there. They can't tell. A `read` still gives it.
 */
export const block = z.strictObject({
  type: z.literal("block"),
  request,
  members: z.array(id).max(LIMITS.blocks),
});
export const blocked = z.strictObject({ type: z.literal("blocked"), request });

/** The device that the signal `number` was for isn't connected. */
export const gone = z.strictObject({ type: z.literal("gone"), dev: id, number: z.int().min(1) });

/** Nothing below `through` is missing on this connection. */
export const heartbeat = z.strictObject({ type: z.literal("heartbeat"), through: count });

/** `id` is a refused record's, `request` a refused request's. `retryAfterMs` is set where waiting helps. */
export const error = z.strictObject({
  type: z.literal("error"),
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  retry: z.boolean(),
  retryAfterMs: count.optional(),
  id: recordId.optional(),
  request: request.optional(),
});

/** Outer JSON of binary frames. `current`: the put `id` is refused as a conflict; this record holds the cell, or did until it expired. */
export const send = z.strictObject({ type: z.literal("send") });
export const push = z.strictObject({ type: z.literal("push"), seq: count, at: time, through: count });
export const item = z.strictObject({ type: z.literal("item"), request, seq: count, at: time });
export const current = z.strictObject({
  type: z.literal("current"),
  id: recordId,
  seq: count,
  at: time,
  live: z.boolean(),
});

export const fromDevice = z.discriminatedUnion("type", [
  hello,
  received,
  subscribe,
  unsubscribe,
  read,
  presence,
  pull,
  signal,
  mail,
  requests,
  answer,
  block,
]);
export const fromBroker = z.discriminatedUnion("type", [
  challenge,
  helloAck,
  ack,
  subscribed,
  page,
  faces,
  signal,
  gone,
  mailed,
  requested,
  answered,
  blocked,
  heartbeat,
  error,
]);
export const outer = z.discriminatedUnion("type", [send, push, item, current]);

export type Hello = z.infer<typeof hello>;
export type HelloAck = z.infer<typeof helloAck>;
export type Presence = z.infer<typeof presence>;
export type Faces = z.infer<typeof faces>;
export type Signal = z.infer<typeof signal>;
export type Mail = z.infer<typeof mail>;
export type Requested = z.infer<typeof requested>;
export type Answer = z.infer<typeof answer>;
export type ErrorFrame = z.infer<typeof error>;
export type FromDevice = z.infer<typeof fromDevice>;
export type FromBroker = z.infer<typeof fromBroker>;
export type Outer = z.infer<typeof outer>;

const outerJson = strictJson<Outer>(outer, "bad_frame", "frame");
const deviceJson = strictJson<FromDevice>(fromDevice, "bad_frame", "frame");
const brokerJson = strictJson<FromBroker>(fromBroker, "bad_frame", "frame");

/** A control frame's text. Our own values are typed, so only what arrives is checked. */
export function encodeFrame(frame: FromDevice | FromBroker): string {
  return JSON.stringify(frame);
}

export function decodeFromDevice(text: string): FromDevice {
  return deviceJson.decode(utf8(text));
}

export function decodeFromBroker(text: string): FromBroker {
  return brokerJson.decode(utf8(text));
}

export function encodeRecordFrame(head: Outer, record: Uint8Array): Uint8Array {
  const json = utf8(JSON.stringify(head));
  return concat(u16(json.length), json, record);
}

/** @throws MeshError bad_frame */
export function decodeRecordFrame(frame: Uint8Array): { outer: Outer; record: Uint8Array } {
  const end = frame.length < 2 ? Number.POSITIVE_INFINITY : 2 + readU16(frame);
  if (end > frame.length)
    throw new MeshError("bad_frame", "The frame is cut short.", "Update claudemesh on both sides.");
  return { outer: outerJson.decode(frame.subarray(2, end)), record: frame.subarray(end) };
}

/** What device (and invite key) sign in a hello: bound to this broker and this challenge, so it can't be replayed or relayed. */
export function helloInput(
  nonce: string,
  frame: Omit<Hello, "signature" | "invite" | "certificate" | "type">,
): Uint8Array {
  return signatureInput(
    "hello",
    utf8(String(frame.protocol)),
    utf8(frame.origin),
    fromBase64url(nonce),
    fromBase64url(frame.workspace),
    fromBase64url(frame.member),
    fromBase64url(frame.key),
    utf8(frame.logId ?? ""),
    utf8(String(frame.cursor)),
    utf8(frame.last ? `${frame.last.seq} ${frame.last.id}` : ""),
    ...frame.labels.map(utf8),
  );
}

/** What a device signs in its presence. */
export function presenceInput(workspace: string, frame: Omit<Presence, "signature" | "type">): Uint8Array {
  return signatureInput(
    "presence",
    fromBase64url(workspace),
    fromBase64url(frame.member),
    fromBase64url(frame.dev),
    utf8(String(frame.counter)),
    utf8(String(frame.epoch)),
    fromBase64url(frame.sealed),
  );
}

/** What a signal says in the clear: its key is bound to it. */
export function signalClaims(
  workspace: string,
  frame: Omit<Signal, "sealed" | "signature" | "type">,
): Uint8Array {
  const target = "label" in frame.to ? [frame.to.label] : [frame.to.member, frame.to.dev];
  return signatureInput(
    "signal-claims",
    fromBase64url(workspace),
    fromBase64url(frame.member),
    fromBase64url(frame.dev),
    fromBase64url(frame.boot),
    utf8(String(frame.number)),
    utf8(target.join(" ")),
    utf8(frame.toBoot ?? ""),
    utf8(String(frame.epoch)),
  );
}

/** What a device signs in a signal. */
export function signalInput(
  workspace: string,
  { sealed, ...claims }: Omit<Signal, "signature" | "type">,
): Uint8Array {
  return signatureInput("signal", signalClaims(workspace, claims), fromBase64url(sealed));
}

/** A broker's address as both sides sign it: http(s) scheme, host, port; ws and http are one thing here. @throws MeshError bad_data */
export function brokerOrigin(url: string): string {
  const http = url.replace(/^ws/i, "http");
  if (URL.canParse(http) && /^https?:$/.test(new URL(http).protocol)) return new URL(http).origin;
  throw new MeshError(
    "bad_data",
    `"${url}" is not a broker's address.`,
    "Give it as http(s)://host:port or ws(s)://host:port.",
  );
}

export function newNonce(random: (length: number) => Uint8Array): string {
  return toBase64url(random(32));
}
