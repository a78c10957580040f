/** What is signed inside of entries, beside the record and the certificates: by roots and by invite keys. */
import { concat, fromBase64url, u32, utf8 } from "../bytes.ts";
import { signatureInput } from "../hash.ts";

/** What a root key signs against its devices. In no workspace by itself: one opening of the vault serves all of them. */
export function deviceRevokeInput(user: string, devices: readonly string[]): Uint8Array {
  const sorted = [...new Set(devices)].sort();
  return signatureInput("device-revoke", fromBase64url(user), concat(...sorted.map(fromBase64url)));
}

/** What a root key signs for the sealing key that a newer seed gives in one workspace. */
export function seedInput(workspace: string, user: string, number: number, sealing: Uint8Array): Uint8Array {
  return signatureInput("seed", fromBase64url(workspace), fromBase64url(user), u32(number), sealing);
}

/** What both roots sign where one identity goes over into another: the one lets go, the other takes it with this key. */
export function migrateInput(
  workspace: string,
  from: string,
  to: { user: string; seed: number; sealing: Uint8Array },
): Uint8Array {
  const { user, seed, sealing } = to;
  const parts = [workspace, from, user].map(fromBase64url);
  return signatureInput("migrate", ...parts, u32(seed), sealing);
}

/** What the invite key signs for a joiner. */
export function joinProofInput(
  workspace: string,
  join: { code: string; user: string; root: Uint8Array; sealing: Uint8Array },
): Uint8Array {
  return signatureInput(
    "join",
    fromBase64url(workspace),
    utf8(join.code),
    fromBase64url(join.user),
    join.root,
    join.sealing,
  );
}
