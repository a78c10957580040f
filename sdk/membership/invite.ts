/** What this device keeps of an invite: whoever made it until somebody is in by it, whoever joins until that is done. */
import { concat } from "#protocol/bytes.ts";
import type { Keychain } from "#protocol/ports.ts";

/** The part of an invite link that a join needs; 16 bytes each of secret and head. */
export type InviteSecret = { code: string; secret: Uint8Array; head: Uint8Array };

export function keepInvite(keychain: Keychain, { code, secret, head }: InviteSecret): void {
  keychain.set(itemOf(code), concat(secret, head));
}

/** Null where it was never kept, or is over. */
export function keptInvite(keychain: Keychain, code: string | null): InviteSecret | null {
  const kept = code === null ? null : keychain.get(itemOf(code));
  return code !== null && kept ? { code, ...inviteFromBytes(kept) } : null;
}

export function forgetInvite(keychain: Keychain, code: string): void {
  keychain.remove(itemOf(code));
}

export function inviteFromBytes(bytes: Uint8Array): Pick<InviteSecret, "secret" | "head"> {
  return { secret: bytes.subarray(0, 16), head: bytes.subarray(16, 32) };
}

function itemOf(code: string): string {
  return `invite-${code}`;
}
