/** What a request carries: JSON, bounded before it is read, and of the shape that was asked for. */
import type { Context } from "hono";
import type { z } from "zod";
import { concat, fromUtf8 } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import { firstIssue, nestsDeeperThan } from "#protocol/json.ts";

const DEPTH = 8;

/** A browser page has no business here: it would be somebody's page using its visitor's network. @throws MeshError not_allowed */
export function requireNoPage(c: Context): void {
  if (c.req.header("origin") !== undefined) {
    throw new MeshError("not_allowed", "No web page may ask this.", "Ask by `claudemesh`.");
  }
}

/** @throws MeshError too_large, bad_data */
export async function readJson<S extends z.ZodType>(
  request: Request,
  schema: S,
  mostBytes: number,
): Promise<z.infer<S>> {
  const body = await readBytes(request, mostBytes);
  if (nestsDeeperThan(DEPTH, body)) throw malformed("it nests too deep");
  const parsed = schema.safeParse(parseJson(body));
  if (!parsed.success) throw malformed(firstIssue(parsed.error));
  return parsed.data;
}

/** Counts what comes, whatever the head says of it. @throws MeshError too_large */
async function readBytes({ body }: Request, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > most) throw new MeshError("too_large", "The request is longer than any of ours.", "");
    chunks.push(chunk);
  }
  return concat(...chunks);
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body));
  } catch {
    throw malformed("it is not JSON");
  }
}

function malformed(why: string): MeshError {
  return new MeshError("bad_data", `The request is malformed: ${why}.`, "Update claudemesh.");
}
