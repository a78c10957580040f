/** The person: who they are here, logging in and out, their devices. */
import { z } from "zod";
import { done, isoTime, methods, secret } from "../method.ts";
import { bytes, count, id, name, seedNumber } from "../schema.ts";

const secretText = secret(z.string().min(1).max(1000));

/** A home broker's address and the e-mail address to log in with; those of last time without them. */
const where = { broker: z.string().max(300).optional(), email: z.string().max(300).optional() };

/** Opens the root for the moment. Not needed where the account isn't registered. */
const rootPassphrase = secretText.optional();

/** Slugs of workspaces that will hear of it when their broker can be reached. */
const waiting = z.array(z.string());

const loggedIn = z.object({
  userId: id,
  name,
  email: z.string(),
  broker: z.string(),
  device: z.object({ id, name: z.string() }),
  /** Slugs of the workspaces that are here now. */
  workspaces: z.array(z.string()),
  /** To be kept on paper: it opens the account when the passphrase is lost, once. Null where there is no new one. */
  recoveryCode: z.string().nullable(),
});

export const listedDevice = z.object({
  id,
  name: z.string(),
  /** The one that answers. */
  you: z.boolean(),
  enteredAt: isoTime,
  lastSeen: isoTime,
  revoked: z.boolean(),
  /** Name of the device that it was paired with; null for one that came in by the passphrase. */
  pairedBy: z.string().nullable(),
});

export type ListedDevice = z.infer<typeof listedDevice>;

export const accountMethods = methods({
  /** The account that this daemon serves. */
  whoami: {
    scope: "read",
    params: z.strictObject({}),
    result: z.object({
      userId: id,
      name,
      registered: z.boolean(),
      email: z.string().nullable(),
      /** Where it is registered, else where new workspaces go. */
      broker: z.string().nullable(),
      device: z.object({ id, name: z.string(), fingerprint: z.string() }),
      /** This one first; each has claimed its name in the account document. */
      devices: z.array(z.object({ id, name: z.string(), you: z.boolean() })),
      rootFingerprint: z.string(),
      /** Why the account isn't in step with its broker at the moment. */
      trouble: z.string().nullable(),
      /** What lies where on this machine. */
      stored: z.array(z.object({ what: z.string(), where: z.string() })),
    }),
  },
  /** Makes this machine's account one that is the same everywhere. */
  register: {
    scope: "admin",
    params: z.strictObject({ ...where, passphrase: secretText }),
    result: loggedIn,
  },
  /** Makes this machine one of an account's. */
  login: {
    scope: "admin",
    params: z.strictObject({ ...where, passphrase: secretText }),
    result: loggedIn,
  },
  /** Logs in by the recovery code; the passphrase is the new one. */
  recover: {
    scope: "admin",
    params: z.strictObject({ ...where, recoveryCode: secretText, passphrase: secretText }),
    result: loggedIn,
  },
  /** Makes this machine one of an account's by the code that another one shows. */
  pair: {
    scope: "admin",
    params: z.strictObject({ broker: where.broker, code: secretText }),
    result: loggedIn,
  },
  /** Forgets the keys, and what they open. What waits to be sent keeps it from happening, but for `force`. */
  logout: {
    scope: "destructive",
    params: z.strictObject({ force: z.boolean().optional() }),
    result: z.object({ userId: id, broker: z.string(), email: z.string() }),
  },
  /** Six random words. */
  suggest: { scope: "read", params: z.strictObject({}), result: z.object({ passphrase: z.string() }) },
  /** Another passphrase for the vault. */
  passphrase: {
    scope: "admin",
    params: z.strictObject({ passphrase: secretText, next: secretText }),
    result: done,
  },
  /** Another recovery code; the one before is worth nothing. */
  recoveryCode: {
    scope: "admin",
    params: z.strictObject({ passphrase: secretText }),
    result: z.object({ recoveryCode: z.string() }),
  },
  /** An account of this machine alone becomes another identity, whose root was made elsewhere. */
  migrate: {
    scope: "destructive",
    params: z.strictObject({ root: bytes.length(43) }),
    result: z.object({ userId: id, workspaces: z.array(z.string()) }),
  },
  /** A new seed: new keys in every workspace, on all devices. */
  rotate: {
    scope: "destructive",
    params: z.strictObject({ passphrase: rootPassphrase }),
    result: z.object({ seed: seedNumber, waiting }),
  },
  /** The person in a file, sealed under a passphrase of its own. */
  backup: {
    scope: "reach-out",
    /** `rootPassphrase`: the account's, which opens the root for the backup. Without it a registered one's stays out. */
    params: z.strictObject({ passphrase: secretText, rootPassphrase: secretText.optional() }),
    result: z.object({
      file: bytes,
      /** Slugs of those that a broker keeps. */
      workspaces: z.array(z.string()),
      /** Of those that are on this machine only: what was said there is not in the file. */
      left: z.array(z.string()),
      /** Whether the root is in it. */
      root: z.boolean(),
    }),
  },
  /** This machine becomes a new device of that person, or learns what the person's backup knows. */
  restore: {
    scope: "admin",
    params: z.strictObject({ file: secret(bytes.max(1_500_000)), passphrase: secretText }),
    result: z.object({
      userId: id,
      name,
      device: z.object({ id, name: z.string() }),
      workspaces: z.array(z.string()),
      /** False where this machine was one of the person's before. */
      isNewDevice: z.boolean(),
    }),
  },
});

export const deviceMethods = methods({
  list: { scope: "read", params: z.strictObject({}), result: z.object({ devices: z.array(listedDevice) }) },
  /** `device`: an id, a unique part of one, or a name. */
  rename: {
    scope: "write",
    params: z.strictObject({ device: z.string().min(1).max(100), name: z.string().min(1).max(100) }),
    result: z.object({ id, name: z.string() }),
  },
  /** Lets a further device in by a code: told at once, good for one use while this waits. */
  add: {
    scope: "reach-out",
    params: z.strictObject({}),
    event: z.object({ code: z.string(), broker: z.string(), expiresInMs: count }),
    result: z.object({ id, name: z.string() }),
  },
  /** Cuts a device off for good, and all that it has paired; the person gets a new seed. */
  revoke: {
    scope: "destructive",
    params: z.strictObject({ device: z.string().min(1).max(100), passphrase: rootPassphrase }),
    result: z.object({ revoked: z.array(z.object({ id, name: z.string() })), waiting }),
  },
});
