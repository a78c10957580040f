/** What this device keeps of an invite link until the join is in the chain. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";

/** The part of an invite link that a join needs. */
export type InviteSecret = { code: string; secret: Uint8Array; head: Uint8Array };

export function inviteToText({ code, secret, head }: InviteSecret): string {
  return [code, toBase64url(secret), toBase64url(head)].join(".");
}

export function inviteFromText(text: string | null): InviteSecret | null {
  if (!text) return null;
  const [code = "", secret = "", head = ""] = text.split(".");
  return { code, secret: fromBase64url(secret), head: fromBase64url(head) };
}
