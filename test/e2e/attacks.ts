/** What hostile ends do to a broker. Each resolves when the broker has ended what it did, and throws if it got away with it. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { toBase64url } from "#protocol/bytes.ts";
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { LIMITS } from "#protocol/limits.ts";
import {
  type CrowdDevice,
  connectDevice,
  type DeviceSocket,
  helloOf,
  openSocket,
  UPGRADE,
} from "#test/crowd.ts";
import { recordBytes } from "#test/raw-device.ts";

/** A broker, and members of some workspace of its. */
export type Target = { url: string; port: number; devices: readonly CrowdDevice[] };

export type Attack = (target: Target) => Promise<unknown>;

async function tcp({ port }: Target, first: string | Uint8Array): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  // Whatever the broker says, and however it ends it.
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  socket.write(first);
  return socket;
}

/** A WebSocket spoken by hand, past its handshake. */
async function upgraded(target: Target): Promise<Socket> {
  const socket = await tcp(target, `${UPGRADE}\r\n\r\n`);
  await until(socket, "data");
  return socket;
}

/** Resolves with that event, or when the socket has ended, however it has. */
function until(socket: Socket, event: "data" | "drain" | "close"): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off(event, done);
      socket.off("close", done);
      resolve();
    };
    if (socket.closed) return resolve();
    socket.on(event, done);
    socket.on("close", done);
  });
}

const ended = (socket: Socket) => until(socket, "close");

/** Sends so much, as fast as the other end takes it, unless it ends. */
async function pour(socket: Socket, bytes: number): Promise<void> {
  const chunk = new Uint8Array(64 * 1024).fill(0x5b);
  for (let sent = 0; sent < bytes && socket.writable; sent += chunk.length) {
    if (!socket.write(chunk)) await until(socket, "drain");
  }
}

/** Noise that is the same in every run. */
function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return state >> 16;
  });
}

function someone({ devices }: Target, place = 0): CrowdDevice {
  const device = devices[place % devices.length];
  if (!device) throw new Error("there is nobody to attack as");
  return device;
}

/** The code of the error that the connection ends with. */
async function lastWord({ closed, next }: DeviceSocket): Promise<string> {
  const { code } = await next("error");
  await closed;
  return String(code);
}

function insist(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`the broker didn't: ${what}`);
}

export const ATTACKS: Record<string, Attack> = {
  async "a frame of a gigabyte"(target) {
    const socket = await upgraded(target);
    socket.write(Buffer.from("82ff000000004000000000000000", "hex"));
    await Promise.all([pour(socket, 50 * 1024 * 1024), ended(socket)]);
  },
  async "a message of endless fragments"(target) {
    const socket = await upgraded(target);
    socket.write(Buffer.from("018000000000", "hex"));
    const empty = Buffer.alloc(6 * 1000, Buffer.from("008000000000", "hex"));
    for (let i = 0; i < 100 && socket.writable; i++) socket.write(empty);
    await ended(socket);
  },
  async "JSON as deep as it is long"(target) {
    const socket = await openSocket(target.url);
    socket.ws.send("[".repeat(60_000));
    insist((await lastWord(socket)) === "bad_frame", "refuse what nests deep");
    const long = await openSocket(target.url);
    long.ws.send("[".repeat(LIMITS.frame - 10));
    insist((await lastWord(long)) === "too_large", "refuse what is long");
  },
  async "noise instead of HTTP"(target) {
    await ended(await tcp(target, noise(100_000)));
  },
  async "noise instead of frames"(target) {
    const socket = await upgraded(target);
    socket.write(noise(100_000));
    await ended(socket);
  },
  async "a page of some website"(target) {
    await ended(await tcp(target, `${UPGRADE}\r\nOrigin: http://page.test\r\n\r\n`));
  },
  async "a request with a body without end"(target) {
    const head = "POST /health HTTP/1.1\r\nHost: b\r\nContent-Length: 1000000000000\r\n\r\n";
    const socket = await tcp(target, head);
    await Promise.all([pour(socket, 200 * 1024 * 1024), ended(socket)]);
  },
  async "a face that is too large"(target) {
    const device = someone(target);
    const socket = await connectDevice(target.url, device);
    const sealed = toBase64url(new Uint8Array(3 * LIMITS.presence));
    const said = { member: device.member, dev: device.device.id, counter: 1, epoch: 0, signature: "" };
    socket.ws.send(encodeFrame({ type: "presence", ...said, sealed }));
    insist((await lastWord(socket)) === "bad_frame", "refuse the face");
  },
  async "a flood of valid records"(target) {
    const floods = [0, 1, 2, 3].map(async (place) => {
      const { member, device, head } = someone(target, place);
      const { ws, next, closed } = await connectDevice(target.url, someone(target, place));
      const said = { from: member, dev: device.id, to: EVERYONE, head };
      const count = 3000;
      for (let i = 0; i < count; i++) ws.send(encodeRecordFrame({ type: "send" }, recordBytes(said)));
      // Taken in at the broker's pace, not at theirs.
      for (let acked = 0; acked < count; acked++) await next("ack");
      ws.terminate();
      await closed;
    });
    await Promise.all(floods);
  },
  async "a flood of frames that cost nothing to send"(target) {
    const socket = await connectDevice(target.url, someone(target));
    const frame = encodeFrame({ type: "unsubscribe", labels: [] });
    while (socket.ws.readyState === socket.ws.OPEN) {
      for (let i = 0; i < 1000; i++) socket.ws.send(frame);
      await new Promise((resolve) => setImmediate(resolve));
    }
    insist((await lastWord(socket)) === "busy", "cut off who sends too much");
  },
  async "a flood of hellos with bad signatures"(target) {
    const device = someone(target);
    const codes = new Map<string, number>();
    const attempt = async () => {
      const socket = await openSocket(target.url);
      const first = await socket.next();
      if (first.type === "challenge") {
        // Signed for another challenge.
        socket.ws.send(await helloOf(target.url, device, toBase64url(new Uint8Array(32))));
      }
      const code = first.type === "challenge" ? await lastWord(socket) : String(first.code);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    };
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 200 }, attempt));
    const known = ["bad_signature", "busy"];
    insist(
      [...codes.keys()].every((code) => known.includes(code)),
      "refuse them all",
    );
    insist((codes.get("bad_signature") ?? 0) > 0, "judge any");
  },
  async "a flood of pings that reads no answer"(target) {
    const socket = await upgraded(target);
    socket.pause();
    const pings = Buffer.alloc(6 * 10_000, Buffer.from("898000000000", "hex"));
    for (let i = 0; i < 20 && socket.writable; i++) socket.write(pings);
    await ended(socket);
  },
};

/** These are given time, and nothing else: each is begun and let be. */
export const SILENT_ATTACKS: Record<string, Attack> = {
  async "half a request, then silence"(target) {
    await ended(await tcp(target, "GET /health HTTP/1.1\r\nHost: b\r\nx-half: "));
  },
  async "a request that comes byte by byte"(target) {
    const socket = await tcp(target, "GET /health HTTP/1.1\r\nHost: b\r\nx-slow: ");
    const timer = setInterval(() => socket.write("x"), 200);
    await ended(socket);
    clearInterval(timer);
  },
  async "half a frame, then silence"(target) {
    const socket = await upgraded(target);
    socket.write(Buffer.from("82fe100000000000ffff", "hex"));
    await ended(socket);
  },
  async "a challenge that nobody answers"(target) {
    const socket = await openSocket(target.url);
    insist((await lastWord(socket)) === "timeout", "end who says no hello");
  },
};

/** Gives credit for ever and reads nothing of what it gets; ended by the answer. */
export async function readNothing(target: Target): Promise<() => void> {
  const { ws } = await connectDevice(target.url, someone(target));
  ws.pause();
  const credit = encodeFrame({ type: "received", records: LIMITS.pushRecords, bytes: LIMITS.pushBytes });
  const ask = encodeFrame({ type: "read", request: 1, label: EVERYONE, before: 100_000, limit: LIMITS.page });
  const timer = setInterval(() => {
    ws.send(credit);
    ws.send(ask);
  }, 5);
  return () => {
    clearInterval(timer);
    ws.terminate();
  };
}
