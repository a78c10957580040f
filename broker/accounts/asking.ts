/** Who asks, and what every operation of accounts shares. */
import type { AccountCall, CallParams, CallResult } from "#protocol/account/api.ts";
import { MeshError } from "#protocol/errors.ts";
import type { CountingPorts } from "../ports.ts";
import { type Access, badToken, type Tokens } from "./tokens.ts";

export type Asking = {
  /** The address of this broker that the asker uses: signatures and tokens are for it alone. */
  origin: string;
  /** Where it comes from, as limits tell addresses apart. */
  address: string;
  /** What stands behind `Bearer`. */
  token: string | null;
  /** The asker doesn't wait for the answer any more. */
  gone: AbortSignal;
};

export type Operation<N extends AccountCall> = (
  params: CallParams<N>,
  asking: Asking,
) => Promise<CallResult<N>>;

/** What one file of operations gives. */
export type Operations<N extends AccountCall> = { [Name in N]: Operation<Name> };

export type AccountPorts = CountingPorts & { tokens: Tokens };

/** The device that an access token speaks for. @throws MeshError bad_token, device_revoked */
export async function sessionOf(
  ports: Pick<AccountPorts, "tokens" | "accounts">,
  { origin, token }: Asking,
): Promise<Access> {
  if (token === null) throw badToken();
  const access = await ports.tokens.readAccess(origin, token);
  await requireIn(ports, access);
  return access;
}

/**
 * Who was removed or has logged out is refused at once, and not only when the token expires.
 * @throws MeshError bad_token, device_revoked
 */
export async function requireIn(
  { accounts }: Pick<AccountPorts, "accounts">,
  { user, device, family: id }: Access,
): Promise<void> {
  const family = await accounts.family(id);
  if (family?.isDeviceRevoked) throw deviceRevoked();
  if (!family || family.isRevoked || family.user !== user || family.device !== device) throw badToken();
}

export function deviceRevoked(): MeshError {
  return new MeshError(
    "device_revoked",
    "This device was removed from the account.",
    "Log in on a new installation, or ask on another device of yours.",
  );
}

export function loggedOut(): MeshError {
  return new MeshError("logged_out", "This device is logged out.", "Run `claudemesh login`.");
}

/** @throws MeshError bad_signature */
export async function requireSignature(holds: Promise<boolean>, whose: string): Promise<void> {
  if (await holds) return;
  throw new MeshError(
    "bad_signature",
    `The ${whose}'s signature doesn't hold.`,
    "Check the broker's address, and update claudemesh.",
  );
}

export function conflict(message: string, hint: string): MeshError {
  return new MeshError("conflict", message, hint);
}
