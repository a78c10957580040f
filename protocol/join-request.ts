/**
 * Asking to join by an invite that came by e-mail. Its link has no secret: who asks proves who they are, tells the inviter
 * six words that stand for exactly this request, and is given the secret sealed. Whoever swaps a key has other words.
 */
import { z } from "zod";
import { fromBase64url, utf8 } from "./bytes.ts";
import { certifiedDevice, verifyCertificate } from "./certificate.ts";
import { idOf } from "./derive.ts";
import { MeshError } from "./errors.ts";
import { sha256, signatureInput } from "./hash.ts";
import type { Curves } from "./ports.ts";
import { bytes, id } from "./schema.ts";
import { wordsOf } from "./words.ts";

const key32 = bytes.length(43);

/** `signature`: by the device, which the root certifies, over all that the words stand for. */
export const joinRequest = z.strictObject({
  user: id,
  root: key32,
  /** The user's sealing key in this workspace. */
  sealing: key32,
  device: certifiedDevice,
  signature: bytes.length(86),
});

/** The invite's secret and head, sealed from the sealing key of whoever approved to that of who asked. */
export const joinAnswer = z.strictObject({ sealing: key32, box: bytes.length(96) });

export type JoinRequest = z.infer<typeof joinRequest>;
export type JoinAnswer = z.infer<typeof joinAnswer>;
export type Claim = Pick<JoinRequest, "user" | "root" | "sealing">;

const WORDS = 6;

/** What the device signs, and the words stand for. */
export function joinRequestInput(
  workspace: string,
  code: string,
  { user, root, sealing }: Claim,
): Uint8Array {
  return signatureInput(
    "join-request",
    fromBase64url(workspace),
    utf8(code),
    fromBase64url(user),
    fromBase64url(root),
    fromBase64url(sealing),
  );
}

/** Six words of 11 bits, apart by blanks: what who asks tells the inviter. */
export function requestWords(workspace: string, code: string, claim: Claim): string {
  return wordsOf(sha256(joinRequestInput(workspace, code, claim)), WORDS).join(" ");
}

/** Whether user, root, device and signature hang together. */
export async function isGenuine(
  curves: Pick<Curves, "verify">,
  workspace: string,
  code: string,
  request: JoinRequest,
): Promise<boolean> {
  const { user, device } = request;
  const root = fromBase64url(request.root);
  if (idOf(root) !== user) return false;
  try {
    await verifyCertificate(curves, user, root, device);
  } catch (error) {
    if (error instanceof MeshError) return false;
    throw error;
  }
  const input = joinRequestInput(workspace, code, request);
  return curves.verify(fromBase64url(device.key), input, fromBase64url(request.signature));
}
