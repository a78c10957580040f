/**
 * A person in a file: `"claudemesh backup 1\n" ‖ salt (16) ‖ box ‖ check (16)`. The box is a sealed body (seal.ts) under a
 * key that Argon2id makes of a passphrase and the salt. The check is the beginning of the SHA-256 of all before it: it tells
 * a damaged file from a wrong passphrase, and keeps nobody from anything.
 */
import { z } from "zod";
import { concat, equalBytes, utf8 } from "../bytes.ts";
import { MeshError } from "../errors.ts";
import { deriveKey, sha256 } from "../hash.ts";
import { strictJson } from "../json.ts";
import type { Random } from "../ports.ts";
import { bytes, id, name, time } from "../schema.ts";
import { openBody, sealBody } from "../seal.ts";
import { documentEntry } from "./document.ts";
import { contentsSchema } from "./vault.ts";

export const BACKUP_SALT_BYTES = 16;
const VERSION = 1;
const CHECK_BYTES = 16;
/** The first line of every version. */
const FIRST_LINE = /^claudemesh backup (\d{1,9})\n/;
/** Holds a first line whole. */
const FIRST_BYTES = 32;

/** All that makes the person, but no device: every machine is its own. */
export const backup = z.strictObject({
  type: z.literal("backup"),
  /** By the clock of the machine that made it, in ms. */
  made: time,
  name,
  rootKey: bytes.length(43),
  /** Null where it stayed in the vault. */
  root: bytes.length(43).nullable(),
  seeds: contentsSchema.shape.seeds,
  formerly: contentsSchema.shape.formerly,
  home: z.strictObject({ origin: z.string().max(300), email: z.string().max(300) }).nullable(),
  /** The account document. */
  entries: z.array(documentEntry).max(2000),
  /** Where a broker keeps them. */
  workspaces: z
    .array(z.strictObject({ id, slug: z.string().max(64), broker: z.string().max(300) }))
    .max(1000),
});

export type Backup = z.infer<typeof backup>;

const json = strictJson(backup, "bad_data", "backup");

export type BackupFile = { salt: Uint8Array; box: Uint8Array };

/** `stretched`: Argon2id of the passphrase and the salt. */
export function backupKey(stretched: Uint8Array): Uint8Array {
  return deriveKey(stretched, "backup");
}

export function sealBackup(key: Uint8Array, salt: Uint8Array, value: Backup, random: Random): Uint8Array {
  const line = utf8(`claudemesh backup ${VERSION}\n`);
  const covered = concat(line, salt, sealBody(key, json.encode(value), random));
  return concat(covered, checkOf(covered));
}

/** What can be told without the passphrase. @throws MeshError bad_data */
export function readBackupFile(file: Uint8Array): BackupFile {
  const [line, version] = FIRST_LINE.exec(firstText(file)) ?? [];
  if (line === undefined) throw unusable("This is no backup of claudemesh", "Is it the right file?");
  if (Number(version) !== VERSION)
    throw unusable(`This backup is of version ${version}, and I know ${VERSION}`, "Update claudemesh here.");
  const end = file.length - CHECK_BYTES;
  const covered = file.subarray(0, Math.max(0, end));
  const boxAt = line.length + BACKUP_SALT_BYTES;
  if (end < boxAt || !equalBytes(file.subarray(end), checkOf(covered)))
    throw unusable("This backup is damaged or cut", "Take another copy of it.");
  return { salt: file.slice(line.length, boxAt), box: file.slice(boxAt, end) };
}

/** @throws MeshError wrong_passphrase, bad_data */
export function openBackup(key: Uint8Array, { box }: BackupFile): Backup {
  return json.decode(opened(key, box));
}

function opened(key: Uint8Array, box: Uint8Array): Uint8Array {
  try {
    return openBody(key, box);
  } catch {
    throw new MeshError(
      "wrong_passphrase",
      "The passphrase doesn't open this backup.",
      "Give the one that was chosen for the backup; it needn't be the account's.",
    );
  }
}

function firstText(file: Uint8Array): string {
  // What isn't ASCII comes out as some other text, which is no first line.
  return String.fromCharCode(...file.subarray(0, FIRST_BYTES));
}

function checkOf(covered: Uint8Array): Uint8Array {
  return sha256(covered).subarray(0, CHECK_BYTES);
}

function unusable(why: string, hint: string): MeshError {
  return new MeshError("bad_data", `${why}.`, hint);
}
