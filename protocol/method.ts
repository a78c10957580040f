/** How a feature declares what can be asked of the daemon. */
import { z } from "zod";
import { recordId } from "./schema.ts";

export const SCOPES = ["read", "write", "reach-out", "admin", "destructive"] as const;

/**
 * What kind of thing a method does. read: sees · write: says, or changes what is mine and can be changed back · reach-out:
 * gives somebody something that they didn't have, or lets them in · admin: changes the daemon, or who may do what ·
 * destructive: can't be undone. From inside of a Claude session the last three need the person's yes.
 */
export type Scope = (typeof SCOPES)[number];

/** What a session does without being asked. */
export const FREE: readonly Scope[] = ["read", "write"];

export type MethodSchema = {
  scope: Scope;
  /** Never from inside of a session, whatever was said yes to: it is how the person speaks. */
  byPerson?: true;
  params: z.ZodType;
  result: z.ZodType;
  /** Set on a method that streams: after the result come events, until either side ends. */
  event?: z.ZodType;
};

export type FeatureMethods = Record<string, MethodSchema>;

/** Keeps each method's own types while checking the shape. */
export function methods<const T extends FeatureMethods>(table: T): T {
  return table;
}

const secrets = new WeakSet<z.ZodType>();

/** Marks what is told to nobody who is asked about a request: passphrases, codes, links, files. */
export function secret<T extends z.ZodType>(schema: T): T {
  secrets.add(schema);
  return schema;
}

export function isSecret(schema: z.ZodType): boolean {
  if (secrets.has(schema)) return true;
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : null;
  return inner instanceof z.ZodType && isSecret(inner);
}

/** A workspace's slug or id. Reads span all without it; writes follow the rule in docs/CLI.md. */
export const workspace = z.string().min(1).max(64).optional();

/** An id, or a unique prefix or suffix of one. */
export const idPart = z.string().regex(/^[0-9a-f-]{4,36}$/, "not a message id");

export const limit = z.int().min(1).max(1000);

/** ISO 8601 in UTC. */
export const isoTime = z.iso.datetime();

/** An id that the caller minted, so that asking again is harmless. */
export const mintedId = recordId.optional();

export const done = z.object({});
