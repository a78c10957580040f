/**
 * Frames on the daemon's unix socket: `{"type","data"}` JSON ended by a form feed. It is node-ipc's framing, so its
 * clients speak it in any language. No form feed can occur inside: JSON escapes it. Free of zod: verbs load this file.
 */
import type { ErrorShape } from "./errors.ts";
import { MeshError } from "./errors.ts";

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
};
export type SocketWelcome = { version: string; pid: number };
export type SocketRequest = { id: number; method: string; params: unknown };
export type SocketResponse = { id: number; result: unknown } | { id: number; error: ErrorShape };
/** Part of the stream that request `id` opened. */
export type SocketEvent = { id: number; event: unknown };

export type SocketFrame =
  | { type: "hello"; data: SocketHello }
  | { type: "welcome"; data: SocketWelcome }
  | { type: "request"; data: SocketRequest }
  | { type: "response"; data: SocketResponse }
  | { type: "event"; data: SocketEvent }
  | { type: "error"; data: ErrorShape };

export function encodeSocketFrame(frame: SocketFrame): string {
  return `${JSON.stringify(frame)}\f`;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Cuts a byte stream into frames. Chunks of an unfinished frame are kept as they came and joined once. */
export function createSocketDecoder(
  limit: number,
  onFrame: (frame: { type: string; data: unknown }) => void,
) {
  let parts: Uint8Array[] = [];
  let size = 0;

  const take = (part: Uint8Array) => {
    size += part.length;
    if (size > limit)
      throw new MeshError("too_large", `A frame is over the limit of ${limit} bytes.`, "Send less at once.");
    if (part.length > 0) parts.push(part);
  };

  return (chunk: Uint8Array) => {
    let start = 0;
    for (let end = chunk.indexOf(FORM_FEED); end >= 0; end = chunk.indexOf(FORM_FEED, start)) {
      take(chunk.subarray(start, end));
      start = end + 1;
      const frame = parts.length === 1 ? parts[0] : join(parts, size);
      parts = [];
      size = 0;
      onFrame(parseSocketFrame(frame ?? new Uint8Array(0)));
    }
    take(chunk.subarray(start));
  };
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function parseSocketFrame(bytes: Uint8Array): { type: string; data: unknown } {
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
