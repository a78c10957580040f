/** How an error is told over HTTP: by our shape, and the status that fits its code. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type ErrorCode, errorShape } from "#protocol/errors.ts";
import type { Log } from "#protocol/ports.ts";
import { retryAfter } from "../gateway/busy.ts";

const STATUS: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  wrong_passphrase: 401,
  bad_token: 401,
  logged_out: 401,
  device_revoked: 403,
  not_allowed: 403,
  bad_signature: 403,
  not_found: 404,
  invite_not_found: 404,
  unknown_method: 405,
  pairing_over: 410,
  invite_revoked: 410,
  invite_expired: 410,
  invite_exhausted: 410,
  conflict: 409,
  account_exists: 409,
  too_large: 413,
  slow_down: 429,
  unexpected: 500,
  busy: 503,
  storage_full: 503,
};

export function refuse(c: Context, error: unknown, log: Log): Response {
  const shape = errorShape(error);
  // What was asked stands in the error's own text nowhere: only what went wrong inside.
  if (shape.code === "unexpected") log.error({ error: String(error) }, "a request failed");
  const wait = retryAfter(error);
  c.header("cache-control", "no-store");
  if (wait.retryAfterMs !== undefined) c.header("retry-after", String(Math.ceil(wait.retryAfterMs / 1000)));
  // What is left of the body is nobody's next request.
  if (shape.code === "too_large") c.header("connection", "close");
  if (shape.code === "unknown_method") c.header("allow", "POST");
  return c.json({ error: shape, ...wait }, STATUS[shape.code] ?? 400);
}
