/**
 * Refresh tokens: the id of a family and 32 random bytes, each good for one use. The broker keeps hashes of the newest two;
 * that an older one was ours shows in its family's id and the device's signature over it.
 */
import { toBase64url, utf8 } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/hash.ts";
import { ID_PATTERN } from "#protocol/ids.ts";
import type { Random } from "#protocol/ports.ts";
import type { NewFamily } from "./store.ts";
import { TOKEN_TIMES } from "./tokens.ts";

/** A refresh token, and what is kept of it. */
export function newRefresh(
  random: Random,
  family = toBase64url(random(16)),
): { refresh: string; hash: Uint8Array } {
  const refresh = `${family}.${toBase64url(random(32))}`;
  return { refresh, hash: refreshHash(refresh) };
}

export function newFamily(random: Random, now: number): { refresh: string; family: NewFamily } {
  const { refresh, hash } = newRefresh(random);
  const expiresAt = now + TOKEN_TIMES.refreshMs;
  return { refresh, family: { id: familyOf(refresh), current: hash, expiresAt } };
}

/** Which family a refresh token says it belongs to; "" when it can't be one of ours. */
export function familyOf(refresh: string): string {
  const [family = "", secret = ""] = refresh.split(".");
  return ID_PATTERN.test(family) && secret !== "" ? family : "";
}

export function refreshHash(refresh: string): Uint8Array {
  return sha256(utf8(refresh));
}
