/** How a feature declares what can be asked of the daemon. */
import { z } from "zod";
import { recordId } from "./schema.ts";

/** read: sees; write: says or changes what is mine; admin: changes the daemon or who belongs. */
export type Scope = "read" | "write" | "admin";

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
