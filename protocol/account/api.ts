/**
 * What a home broker answers about accounts: `POST /v1/account/NAME` with a JSON body, `Authorization: Bearer` with a
 * token where the table says so. An error comes as `{"error": {code, message, hint}, "retryAfterMs"?}` with a status of 400 up.
 */

import { z } from "zod";
import { fromBase64url, u32, utf8 } from "../bytes.ts";
import { certifiedDevice } from "../certificate.ts";
import { sha256, signatureInput } from "../hash.ts";
import { bytes, count, id, time } from "../schema.ts";

/** base64url of a sealed box. */
const box = bytes.max(256 * 1024);
const key32 = bytes.length(43);
const signature = bytes.length(86);

/** `access`: a JWT. `refresh`: opaque, good for one use. Times in ms since the Unix epoch, by the broker's clock. */
export const tokens = z.strictObject({
  access: z.string().max(2000),
  expiresAt: time,
  refresh: z.string().max(200),
});

/** A device comes in: its certificate, its X25519 key, and its own signature over `enterInput`. */
export const deviceEntry = z.strictObject({
  device: certifiedDevice,
  sealing: key32,
  at: time,
  proof: signature,
});

export const accountDevice = z.strictObject({
  id,
  /** As the device came in: its signature says that the X25519 key is its own. */
  entry: deviceEntry,
  enteredAt: time,
  lastSeenAt: time,
  revoked: z.boolean(),
});

export type AccountDevice = z.infer<typeof accountDevice>;

const document = z.strictObject({ version: count, box });

type Call = {
  /** Which token it asks for. `ticket`: what `login` gives, good for the vault and to come in. */
  token: "none" | "ticket" | "access";
  params: z.ZodType;
  result: z.ZodType;
};

function calls<const T extends Record<string, Call>>(table: T): T {
  return table;
}

export const accountCalls = calls({
  /** A new account. `proof`: the root's signature over `registerInput`. @throws account_exists */
  register: {
    token: "none",
    params: z.strictObject({
      login: id,
      loginKey: key32,
      recoveryKey: key32,
      root: key32,
      vault: box,
      recovery: box,
      contents: box,
      proof: signature,
      entry: deviceEntry,
    }),
    result: tokens,
  },
  /** Opens the door to the vault. @throws wrong_passphrase, slow_down */
  login: {
    token: "none",
    params: z.strictObject({ login: id, key: key32 }),
    result: z.strictObject({
      ticket: z.string().max(2000),
      user: id,
      /** Sealed under what was used: the passphrase's vault key, or the recovery code's. */
      vault: box,
      contents: box,
    }),
  },
  /** A certified device comes in; with a ticket, or with a certificate of a device that is in. @throws device_revoked */
  enter: { token: "ticket", params: deviceEntry, result: tokens },
  /** New tokens for an old one. `proof`: the device's signature over `refreshInput`. @throws logged_out */
  refresh: {
    token: "none",
    params: z.strictObject({ refresh: z.string().max(200), proof: signature }),
    result: tokens,
  },
  /** This device's tokens are worth nothing from now on. */
  logout: { token: "access", params: z.strictObject({}), result: z.strictObject({}) },
  /** The account's devices, revoked ones too. */
  devices: {
    token: "access",
    params: z.strictObject({}),
    result: z.strictObject({ devices: z.array(accountDevice).max(1000) }),
  },
  /** The account document; with `after`, once it is newer than that, or as it is when `waitMs` are over. */
  document: {
    token: "access",
    params: z.strictObject({ after: count, waitMs: z.int().min(0).max(60_000) }),
    result: document,
  },
  /** Replaces the document of that version. @throws conflict */
  keepDocument: { token: "access", params: document, result: z.strictObject({ version: count }) },
  /** What was sealed to this device when the seed was renewed, newest last. */
  seeds: {
    token: "access",
    params: z.strictObject({}),
    result: z.strictObject({
      seeds: z.array(z.strictObject({ number: count, by: id, sealing: key32, box })).max(1000),
    }),
  },
  /** Another passphrase. `proof`: the root's signature over `vaultInput`. */
  changePassphrase: {
    token: "access",
    params: z.strictObject({ loginKey: key32, vault: box, proof: signature }),
    result: z.strictObject({}),
  },
  /** Another recovery code. */
  changeRecovery: {
    token: "access",
    params: z.strictObject({ recoveryKey: key32, recovery: box, proof: signature }),
    result: z.strictObject({}),
  },
  /**
   * A new seed, sealed to every device that stays; those named fall, with all that they have paired. `proof`: the root's
   * signature over `rotateInput`. @throws conflict when another device was faster
   */
  rotate: {
    token: "access",
    params: z.strictObject({
      number: count,
      contents: box,
      document,
      seeds: z.array(z.strictObject({ device: id, box })).max(1000),
      revoke: z.array(id).max(1000),
      proof: signature,
    }),
    result: z.strictObject({}),
  },
  /** Leaves a sealed box at a place that two devices know by a pairing code; two minutes, each slot once. */
  leave: {
    token: "none",
    params: z.strictObject({ place: id, slot: z.enum(["asks", "answers"]), box }),
    result: z.strictObject({}),
  },
  /** Takes the box of a slot away once it is there; null when `waitMs` are over. */
  take: {
    token: "none",
    params: z.strictObject({
      place: id,
      slot: z.enum(["asks", "answers"]),
      waitMs: z.int().min(0).max(30_000),
    }),
    result: z.strictObject({ box: box.nullable() }),
  },
});

export type AccountCalls = typeof accountCalls;
export type AccountCall = keyof AccountCalls;
export type CallParams<N extends AccountCall> = z.infer<AccountCalls[N]["params"]>;
export type CallResult<N extends AccountCall> = z.infer<AccountCalls[N]["result"]>;

/** What the root signs for a new account: whoever can't open it can't register it. */
export function registerInput(
  origin: string,
  { login, vault, contents }: { login: string; vault: string; contents: string },
): Uint8Array {
  return signatureInput("register", utf8(origin), fromBase64url(login), digest(vault), digest(contents));
}

/** What a device signs to come in. `at`: its clock, so that an old one can't be used again for long. */
export function enterInput(origin: string, user: string, sealing: Uint8Array, at: number): Uint8Array {
  return signatureInput("enter", utf8(origin), fromBase64url(user), sealing, utf8(String(at)));
}

export function refreshInput(origin: string, refresh: string): Uint8Array {
  return signatureInput("refresh", utf8(origin), utf8(refresh));
}

/** `loginKey`: that of the passphrase or of the recovery code. */
export function vaultInput(
  origin: string,
  user: string,
  { kind, loginKey, box: sealed }: { kind: "passphrase" | "recovery"; loginKey: string; box: string },
): Uint8Array {
  return signatureInput(
    "vault",
    utf8(origin),
    fromBase64url(user),
    utf8(kind),
    fromBase64url(loginKey),
    digest(sealed),
  );
}

export function rotateInput(
  origin: string,
  user: string,
  { number, contents, revoke }: { number: number; contents: string; revoke: readonly string[] },
): Uint8Array {
  return signatureInput(
    "rotate",
    utf8(origin),
    fromBase64url(user),
    u32(number),
    digest(contents),
    ...revoke.toSorted().map(fromBase64url),
  );
}

function digest(text: string): Uint8Array {
  return sha256(utf8(text));
}
