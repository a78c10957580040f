/** Field shapes that more than one schema uses. */
import { z } from "zod";
import { HASH_PATTERN, ID_PATTERN, INVITE_CODE_PATTERN, NAME_PATTERN, RECORD_ID_PATTERN } from "./ids.ts";

export const id = z.string().regex(ID_PATTERN, "not an id (22 characters of base64url)");
export const hash = z.string().regex(HASH_PATTERN, "not a hash (43 characters of base64url)");
export const recordId = z.string().regex(RECORD_ID_PATTERN, "not a UUIDv7 in lower case");
export const inviteCode = z.string().regex(INVITE_CODE_PATTERN, "not an invite code");
export const name = z.string().regex(NAME_PATTERN, "not a name ([a-z0-9][a-z0-9._-]{0,31})");
/** base64url of bytes; how many they are is judged where they are decoded. */
export const bytes = z
  .string()
  .regex(/^[A-Za-z0-9_-]*$/, "not base64url")
  .refine(endsWithItsBytes, "not base64url: it is cut, or has stray bits");
/** One mailbox, and nothing that a mail's head could take for more. */
export const email = z
  .string()
  .max(254)
  .regex(/^[^\s@<>()[\]"',;:\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/, "not an e-mail address");
export const label = z.union([id, z.enum(["*", "chain"])]);
export const count = z.int().min(0);
/** Of a seed; in four bytes where it is signed, in nine digits where a record names its key. */
export const seedNumber = z.int().min(0).max(999_999_999);
/** Milliseconds since the Unix epoch. */
export const time = z.int().min(0);
export const role = z.enum(["owner", "admin", "member", "guest"]);

/** A point of the membership chain: the entry at `height` has this hash. */
export const chainHead = z.strictObject({ height: count, hash });

export type Role = z.infer<typeof role>;
export type ChainHead = z.infer<typeof chainHead>;

/** Whether the last character carries nothing beyond whole bytes, so that every text stands for its own bytes. */
function endsWithItsBytes(text: string): boolean {
  const last = text.slice(-1);
  return [true, false, /[AQgw]/.test(last), /[AEIMQUYcgkosw048]/.test(last)][text.length % 4] ?? false;
}
