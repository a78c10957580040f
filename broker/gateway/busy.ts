/** Refusals that say when to come back. */
import { MeshError } from "#protocol/errors.ts";

export type Busy = MeshError & { retryAfterMs: number };

/** `retryAfterMs` is the sender's to wait; the device's link and outbox honour it. */
export function busy(message: string, retryAfterMs: number): Busy {
  const error = new MeshError("busy", message, "It is tried again after a while.");
  return Object.assign(error, { retryAfterMs: Math.ceil(retryAfterMs) });
}

/** Somebody has to make room first. */
const FULL_DISK_MS = 3000;

/** For the error frame: how long to wait, where the error says so. */
export function retryAfter(error: unknown): { retryAfterMs?: number } {
  if (!(error instanceof MeshError)) return {};
  if (error.code === "storage_full") return { retryAfterMs: FULL_DISK_MS };
  return "retryAfterMs" in error && typeof error.retryAfterMs === "number"
    ? { retryAfterMs: error.retryAfterMs }
    : {};
}
