/**
 * What accounts ask of a database. Boxes are sealed, tokens and login keys come as hashes: nothing in here opens anything,
 * but for the seeds of the keys that sign JWTs. Times in ms of the broker's clock; each call is one transaction.
 */
import type { AccountDevice, CallParams } from "#protocol/account/api.ts";

export type Account = {
  user: string;
  /** Root public key in base64url; the user id is its hash. */
  root: string;
  /** Sealed under the passphrase's vault key, and under the recovery code's. */
  vault: string;
  recovery: string;
  contents: string;
  seedNumber: number;
};

export type LoginHashes = { passphrase: Uint8Array; recovery: Uint8Array };

export type NewAccount = Account & { login: string; hashes: LoginHashes };

/** Refresh tokens that follow from one entry: each is worth one refresh, and only the newest two are known. */
export type Family = {
  id: string;
  user: string;
  device: string;
  /** The device's public key in base64url. */
  key: string;
  isDeviceRevoked: boolean;
  /** Of the family itself: by logout, reuse, or because the device came in again. */
  isRevoked: boolean;
  expiresAt: number;
};

export type NewFamily = { id: string; current: Uint8Array; expiresAt: number };

export type Entry = {
  user: string;
  /** As it was sent: the device's signature in it is for its person's other devices too. */
  entry: CallParams<"enter">;
  at: number;
  family: NewFamily;
};

export type Renewal = {
  family: string;
  /** Hash of the token that is shown, and of the one that takes its place. */
  shown: Uint8Array;
  next: Uint8Array;
  at: number;
  expiresAt: number;
};

export type AccountDocument = { version: number; box: string };

export type Rotation = {
  user: string;
  /** The device that rotates: the others open their envelopes by its sealing key. */
  by: string;
  number: number;
  contents: string;
  document: AccountDocument;
  seeds: readonly { device: string; box: string }[];
  revoke: readonly string[];
  at: number;
};

export type SeedEnvelope = { number: number; by: string; sealing: string; box: string };

export type SigningKey = { id: string; seed: Uint8Array; createdAt: number };

export type Cleaning = {
  /** Families that have expired by then, and those revoked before `revokedBefore`. */
  now: number;
  revokedBefore: number;
  /** Signing keys that another had followed by then. */
  retiredBefore: number;
};

export type AccountStore = {
  /** The account and its first device; false when the user or the login is there already. */
  register(account: NewAccount, entry: Entry): Promise<boolean>;
  /** What a login key is compared with; null for an unknown login. */
  loginHashes(login: string): Promise<(LoginHashes & { user: string }) | null>;
  account(user: string): Promise<Account | null>;
  /** In the order in which they came in, revoked ones too. */
  devices(user: string): Promise<AccountDevice[]>;
  device(user: string, id: string): Promise<AccountDevice | null>;
  /** Accounts that a device is in; a few at most. */
  usersOf(device: string): Promise<string[]>;
  /**
   * A device comes in, or comes in again: then its families end. `unknown`: with `onlyVouched`, when it has been here before
   * or one that it rests on isn't in. `revoked`: it, or one that it rests on. `full`: the account has its most devices.
   */
  enter(
    entry: Entry,
    options: { onlyVouched: boolean; most: number },
  ): Promise<"entered" | "revoked" | "unknown" | "full">;
  family(id: string): Promise<Family | null>;
  /**
   * The current token, which nobody has used yet, or the one before it, whose answer was lost, gives way to the next.
   * `reused`: any other; the family is revoked. `over`: revoked, expired or unknown.
   */
  renew(renewal: Renewal): Promise<"renewed" | "reused" | "over">;
  endFamily(id: string, at: number): Promise<void>;
  /** Version 0 with an empty box before the first. */
  document(user: string): Promise<AccountDocument>;
  /** False when the one that is there isn't the version before. */
  keepDocument(user: string, document: AccountDocument): Promise<boolean>;
  /** Sealed to this device, newest last; the newest 1,000. */
  seeds(user: string, device: string): Promise<SeedEnvelope[]>;
  changeLogin(
    user: string,
    change: { kind: "passphrase" | "recovery"; hash: Uint8Array; box: string },
  ): Promise<void>;
  /**
   * False when seed number or document aren't the ones before, or a device that stays has no envelope, other than the
   * one that rotates. Whatever rests on a revoked device falls with it, whether it has come in yet or not.
   */
  rotate(rotation: Rotation): Promise<boolean>;
  /** Oldest first. */
  signingKeys(): Promise<SigningKey[]>;
  addSigningKey(key: SigningKey): Promise<void>;
  clean(cleaning: Cleaning): Promise<void>;
};
