/**
 * Frames on the daemon's unix socket: `{"type","data"}` JSON ended by a form feed. It is node-ipc's framing, so its
 * clients speak it in any language. No form feed can occur inside: JSON escapes it. Free of zod: verbs load this file.
 */
import type { ErrorShape } from "./errors.ts";
import { MeshError } from "./errors.ts";
import type { Approval } from "./features/approval.ts";
import { LIMITS } from "./limits.ts";

export const FORM_FEED = 0x0c;

export type ClientKind = "cli" | "adapter" | "daemon" | "other";

/** How far a client lets itself go: it can only tighten what its kind may do. */
export type ApprovalMode = "plan" | "read-only" | "write" | "yolo";

/** First on every connection. `session` is the Claude session that the client speaks for, where there is one. */
export type SocketHello = {
  client: ClientKind;
  version: string;
  session?: string | undefined;
  mode?: ApprovalMode | undefined;
  /** It runs inside of a Claude session, whichever it speaks for; who names a session counts as one anyway. */
  inside?: boolean | undefined;
  /** How long a request of its may wait for the person's yes. */
  patienceMs?: number | undefined;
};
export type SocketWelcome = { version: string; pid: number };
export type SocketRequest = { id: number; method: string; params: unknown };
export type SocketResponse = { id: number; result: unknown } | { id: number; error: ErrorShape };
/** Request `id` waits for the person's yes; its response comes when that is decided. */
export type SocketHeld = { id: number; approval: Approval };
/** Part of the stream that request `id` opened. */
export type SocketEvent = { id: number; event: unknown };

export type SocketFrame =
  | { type: "hello"; data: SocketHello }
  | { type: "welcome"; data: SocketWelcome }
  | { type: "request"; data: SocketRequest }
  | { type: "response"; data: SocketResponse }
  | { type: "held"; data: SocketHeld }
  | { type: "event"; data: SocketEvent }
  | { type: "error"; data: ErrorShape };

export function encodeSocketFrame(frame: SocketFrame): string {
  return `${JSON.stringify(frame)}\f`;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

export type SocketDecoder = {
  /** @throws MeshError too_large, bad_frame: nothing after that can be understood */
  take(chunk: Uint8Array): void;
  /** Bytes kept of a frame that hasn't ended yet. */
  held(): number;
  /** From now on a frame may be that long. */
  allow(bytes: number): void;
  /** Lets go of what is kept: nothing more comes. */
  drop(): void;
};

/** Cuts a byte stream into frames. */
export function createSocketDecoder(
  limit: number,
  onFrame: (frame: { type: string; data: unknown }) => void,
): SocketDecoder {
  let kept = new Uint8Array(0);
  let size = 0;

  const check = (bytes: number) => {
    if (bytes > limit)
      throw new MeshError("too_large", `A frame is over the limit of ${limit} bytes.`, "Send less at once.");
  };

  /** In one buffer that doubles: a frame that comes byte by byte must not cost an object a byte. */
  const keep = (part: Uint8Array) => {
    check(size + part.length);
    if (size + part.length > kept.length) {
      const wider = new Uint8Array(Math.max(2 * kept.length, size + part.length));
      wider.set(kept.subarray(0, size));
      kept = wider;
    }
    kept.set(part, size);
    size += part.length;
  };

  const finish = (end: Uint8Array): Uint8Array => {
    if (size === 0) {
      check(end.length);
      return end;
    }
    keep(end);
    const frame = kept.subarray(0, size);
    kept = new Uint8Array(0);
    size = 0;
    return frame;
  };

  return {
    take(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(FORM_FEED); end >= 0; end = chunk.indexOf(FORM_FEED, start)) {
        const frame = finish(chunk.subarray(start, end));
        start = end + 1;
        onFrame(parseSocketFrame(frame));
      }
      if (start < chunk.length) keep(chunk.subarray(start));
    },
    held: () => kept.length,
    allow(bytes) {
      limit = bytes;
    },
    drop() {
      kept = new Uint8Array(0);
      size = 0;
    },
  };
}

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = new TextEncoder().encode(
  '"\\[]{}',
);

/** Whether JSON is nested beyond the limit, seen before anything is built of it; any bytes may be given. */
export function isTooDeep(json: Uint8Array, levels: number): boolean {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth++;
      if (depth > levels) return true;
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
  }
  return false;
}

function parseSocketFrame(bytes: Uint8Array): { type: string; data: unknown } {
  if (isTooDeep(bytes, LIMITS.socketDepth)) {
    throw new MeshError(
      "bad_frame",
      `A frame is nested deeper than ${LIMITS.socketDepth} levels.`,
      "Send less at once.",
    );
  }
  try {
    const frame: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof frame === "object" && frame !== null && "type" in frame && typeof frame.type === "string") {
      return { type: frame.type, data: "data" in frame ? frame.data : undefined };
    }
  } catch {
    // Answered below like any other malformed frame.
  }
  throw new MeshError(
    "bad_frame",
    "A frame is not {type, data} in JSON.",
    "Frames end with a form feed (0x0c).",
  );
}
