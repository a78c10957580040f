/**
 * The account document: what is the same on all machines of a person. A map of small entries; of two writers of one entry
 * the later wins, so two documents merge to the same one in either order.
 */
import { z } from "zod";
import { fromBase64url, toBase64url, utf8 } from "../bytes.ts";
import { idOf } from "../derive.ts";
import { sha256, signatureInput } from "../hash.ts";
import { strictJson } from "../json.ts";
import type { Random } from "../ports.ts";
import { bytes, count, hash, id, name, time } from "../schema.ts";
import { sealBody } from "../seal.ts";
import { opened } from "./vault.ts";

/** As a member is shown: with a number where another has the name. */
const shownName = z.string().min(1).max(60);

/** What an entry may say, by the first part of its key; the second is an id, empty where there is only one. */
export const documentKinds = {
  name: z.strictObject({ name }),
  /** One that this person belongs to. */
  workspace: z.strictObject({ slug: name, broker: z.string().max(300) }),
  /** The one that writes go to. */
  used: z.strictObject({ workspace: id }),
  device: z.strictObject({ name: z.string().max(100), revoked: z.literal(true).optional() }),
  /** Of an identity that this person was: its seeds, sealed under a seed of today's. */
  former: z.strictObject({ seed: count, box: bytes.max(8000) }),
  /** A colleague whose root key was compared, or taken as it is, by hand. */
  trusted: z.strictObject({ verified: z.boolean(), name: shownName }),
  /** Whom a name stood for when this person first spoke with somebody of that name; under `knownName`. */
  known: z.strictObject({ workspace: id, name: shownName, user: id }),
} as const;

export type DocumentKind = keyof typeof documentKinds;
export type DocumentValue<K extends DocumentKind> = z.infer<(typeof documentKinds)[K]>;

/** `value`: JSON of its kind; null once it was taken away. `at`: the writer's clock in ms, above what it replaces. */
export const documentEntry = z.strictObject({
  key: z.string().regex(/^[a-z]{1,20}\/[A-Za-z0-9_-]{0,22}$/),
  at: time,
  value: z.string().max(9000).nullable(),
});

export type DocumentEntry = z.infer<typeof documentEntry>;

const schema = z.strictObject({
  type: z.literal("document"),
  version: count,
  /** Hash of the sealed document that this one replaced; null for the first. */
  before: hash.nullable(),
  entries: z.array(documentEntry).max(2000),
});

export type AccountDocument = z.infer<typeof schema>;

const json = strictJson(schema, "bad_data", "account document");

export function sealDocument(key: Uint8Array, document: AccountDocument, random: Random): string {
  return toBase64url(sealBody(key, json.encode(document), random));
}

/** @throws MeshError bad_seal */
export function openDocument(key: Uint8Array, box: string): AccountDocument {
  return json.decode(opened(key, box, "account document"));
}

/** Where it is kept whom a name stands for in a workspace. */
export function knownName(workspace: string, name: string): string {
  return idOf(signatureInput("known-name", fromBase64url(workspace), utf8(name)));
}

export function documentHash(box: string): string {
  return toBase64url(sha256(new TextEncoder().encode(box)));
}

/** Whether `a` is to be kept rather than `b`. */
export function isLater(a: DocumentEntry, b: DocumentEntry): boolean {
  if (a.at !== b.at) return a.at > b.at;
  // Written at the same moment by two: the same one wins everywhere.
  return (a.value ?? "") > (b.value ?? "");
}
