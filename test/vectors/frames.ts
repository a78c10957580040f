import { nodeCurves } from "#adapters/curves.ts";
import { fromBase64url, toBase64url, utf8 } from "#protocol/bytes.ts";
import { inviteSeed } from "#protocol/derive.ts";
import {
  encodeFrame,
  encodeRecordFrame,
  type FromBroker,
  type FromDevice,
  helloInput,
  type Outer,
  presenceInput,
  signalInput,
} from "#protocol/frames.ts";
import { encodeInviteLink } from "#protocol/invite-link.ts";
import { encodeSocketFrame, type SocketFrame } from "#protocol/socket.ts";
import { fixedBytes, person, recordId } from "../person.ts";
import { hex } from "./hex.ts";

const workspace = toBase64url(fixedBytes("workspace", 16));
const head = { height: 6, hash: toBase64url(fixedBytes("head")) };
const AT = 1_750_000_000_000;

export async function frameVectors() {
  const alice = await person("alice");
  const nonce = toBase64url(fixedBytes("challenge"));
  const origin = "https://mesh.example";
  const seed = inviteSeed(fixedBytes("invite secret", 16));

  const said = { protocol: 1, origin, workspace, member: alice.id, key: toBase64url(alice.device.key) };
  const first = { ...said, logId: null, cursor: 0, last: null, labels: ["*", "chain", alice.id] };
  const again = {
    ...said,
    logId: toBase64url(fixedBytes("log", 16)),
    cursor: 5,
    last: { seq: 4, id: recordId(4) },
    labels: ["*", "chain", alice.id],
  };
  const firstInput = helloInput(nonce, first);
  const againInput = helloInput(nonce, again);
  const face = {
    member: alice.id,
    dev: alice.device.id,
    counter: 4_294_967_297,
    epoch: 2,
    sealed: toBase64url(fixedBytes("face", 64)),
  };
  const faceInput = presenceInput(workspace, face);
  const sign = async (input: Uint8Array) => toBase64url(await nodeCurves.sign(alice.device.seed, input));
  const inviteSignature = toBase64url(await nodeCurves.sign(seed, firstInput));

  const shout = {
    member: alice.id,
    dev: alice.device.id,
    boot: toBase64url(fixedBytes("boot", 16)),
    number: 3,
    to: { label: "*" as const },
    toBoot: null,
    epoch: 2,
    sealed: toBase64url(fixedBytes("signal", 64)),
  };
  const signalToSign = signalInput(workspace, shout);
  const signal = { type: "signal" as const, ...shout, signature: await sign(signalToSign) };
  const presence = { type: "presence" as const, ...face, signature: await sign(faceInput) };
  const fromDevice: FromDevice[] = [
    { type: "hello", ...again, signature: await sign(againInput) },
    {
      type: "hello",
      ...first,
      signature: await sign(firstInput),
      invite: { code: "Ab3dE6gH", signature: inviteSignature },
    },
    { type: "received", records: 12, bytes: 34_567 },
    { type: "subscribe", request: 1, labels: [workspace] },
    { type: "unsubscribe", labels: [workspace] },
    { type: "read", request: 2, label: "*", before: 100, limit: 50 },
    presence,
    { type: "pull", request: 3, after: 7 },
    signal,
  ];
  const fromBroker: FromBroker[] = [
    { type: "challenge", protocol: 1, nonce },
    {
      type: "hello_ack",
      standing: "member",
      logId: again.logId,
      head: 9,
      floor: 2,
      resume: "cursor",
      chain: head,
      heartbeatMs: 15_000,
    },
    {
      type: "hello_ack",
      standing: "founding",
      logId: again.logId,
      head: 0,
      floor: 0,
      resume: "start",
      chain: null,
      heartbeatMs: 15_000,
    },
    { type: "ack", id: recordId(1), seq: 10, at: AT },
    { type: "subscribed", request: 1, head: 10, floor: 1 },
    { type: "page", request: 2, more: true },
    {
      type: "faces",
      version: 7,
      faces: [presence],
      absent: [{ dev: toBase64url(fixedBytes("other device", 16)), lastSeen: AT }],
      more: false,
    },
    { type: "faces", request: 3, version: 7, faces: [], absent: [], more: true },
    signal,
    { type: "gone", dev: alice.device.id, number: 3 },
    { type: "heartbeat", through: 10 },
    {
      type: "error",
      code: "stale_epoch",
      message: "The epoch is stale.",
      hint: "Begin the next.",
      retry: true,
      retryAfterMs: 250,
      id: recordId(1),
    },
    { type: "error", code: "bad_frame", message: "No.", hint: "", retry: false },
  ];
  const record = fixedBytes("record", 100);
  const outers: Outer[] = [
    { type: "send" },
    { type: "push", seq: 10, at: AT, through: 10 },
    { type: "item", request: 2, seq: 10, at: AT },
    { type: "current", id: recordId(1), seq: 9, at: AT, live: true },
  ];
  return {
    about:
      'Frames between daemon and broker. Control frames are WebSocket text frames: JSON with keys in this order, no blanks, absent keys left out; anything else is refused. Record frames are binary: big-endian u16 length of `outer`, `outer`, the record. Signatures are Ed25519 by the device\'s key over `input`: "claudemesh/1/hello" NUL, "claudemesh/1/presence" NUL or "claudemesh/1/signal" NUL, then the parts, each behind its big-endian u32 length: for hello protocol (decimal digits), origin, nonce, workspace, member, key, log id as its text (empty for null), cursor (digits), the last record (its sequence, a blank, its id; empty for null), then each label\'s text; for presence workspace, member, dev, counter (digits), epoch (digits), sealed; for a signal its claims and sealed, the claims being "claudemesh/1/signal-claims" NUL, then workspace, member, dev, boot, number (digits), target (a label, or member, a blank, dev), the receiver\'s boot as its text (empty for null), epoch (digits). The first hello of a joiner is signed by the invite\'s key too, over the same input.',
    fromDevice: fromDevice.map(encodeFrame),
    fromBroker: fromBroker.map(encodeFrame),
    refusedFromDevice: [
      '{"type":"received","records":12, "bytes":34567}',
      '{"records":12,"type":"received","bytes":34567}',
      '{"type":"received","records":12,"bytes":34567,"more":1}',
      '{"type":"received","records":12.0,"bytes":34567}',
      '{"type":"received","records":-1,"bytes":34567}',
      '{"type":"heartbeat","through":10}',
      '{"type":"unheard-of"}',
      "{}",
      "",
    ],
    recordFrames: outers.map((outer) => ({
      outer: JSON.stringify(outer),
      record: hex(record),
      frame: hex(encodeRecordFrame(outer, record)),
    })),
    device: { seed: hex(alice.device.seed), key: hex(alice.device.key) },
    inviteKey: { seed: hex(seed), key: hex(await nodeCurves.signingPublicKey(seed)) },
    hellos: [
      { nonce, frame: encodeFrame(fromDevice[0] ?? presence), input: hex(againInput) },
      { nonce, frame: encodeFrame(fromDevice[1] ?? presence), input: hex(firstInput) },
    ],
    presences: [{ workspace, frame: encodeFrame(presence), input: hex(faceInput) }],
    signals: [{ workspace, frame: encodeFrame(signal), input: hex(signalToSign) }],
  };
}

export function inviteLinkVectors() {
  const secret = fixedBytes("invite secret", 16);
  const chainHead = fromBase64url(head.hash).subarray(0, 16);
  const link = { broker: "https://mesh.example", code: "Ab3dE6gH", secret, head: chainHead };
  const url = encodeInviteLink(link);
  return {
    about:
      "Invite links: BROKER/i/CODE#FRAGMENT. BROKER is an origin (http or https, no path); CODE has 8 characters of 0-9A-Za-z; FRAGMENT is base64url of the 16-byte secret and the first 16 bytes of the chain head's hash. Secret and head in hex. `refused` must not be taken for a link.",
    links: [link, { ...link, broker: "http://localhost:7777" }].map((each) => ({
      broker: each.broker,
      code: each.code,
      secret: hex(each.secret),
      head: hex(each.head),
      url: encodeInviteLink(each),
    })),
    refused: [
      url.slice(0, -1),
      `${url}A`,
      `${url}=`,
      url.replace(/#.*/, ""),
      url.replace("Ab3dE6gH", "Ab3dE6g"),
      url.replace("/i/", "/x/"),
      url.replace("https", "ftp"),
      "Ab3dE6gH",
    ],
  };
}

export function socketVectors() {
  const frames: SocketFrame[] = [
    { type: "hello", data: { client: "cli", version: "0.1.0" } },
    { type: "welcome", data: { version: "0.1.0", pid: 4711 } },
    {
      type: "request",
      data: { id: 1, method: "message.send", params: { to: "bob", text: "a form\ffeed and é 😀" } },
    },
    { type: "response", data: { id: 1, result: { state: "queued" } } },
    { type: "response", data: { id: 2, error: { code: "not_found", message: "No.", hint: "" } } },
    { type: "event", data: { id: 3, event: { type: "message" } } },
    { type: "error", data: { code: "version_skew", message: "Restart.", hint: "" } },
  ];
  return {
    about:
      "Frames on the daemon's unix socket, both ways: JSON in UTF-8 with `type` and `data`, ended by one form feed (0x0c), which can't occur inside as JSON escapes it. Key order and blanks don't matter here. `stream` (hex) is all `frames` one after the other and must give the same frames however it is cut. Each of `refused` (hex) is a malformed frame.",
    frames: frames.map((frame) => ({ frame, text: encodeSocketFrame(frame) })),
    stream: hex(utf8(frames.map(encodeSocketFrame).join(""))),
    refused: ["\f", "hello\f", "1\f", "null\f", '{"data":{}}\f', '{"type":1}\f', '{"type":"a"\f']
      .map((text) => hex(utf8(text)))
      .concat(`${hex(utf8('{"type":"'))}ff${hex(utf8('"}\f'))}`),
  };
}
