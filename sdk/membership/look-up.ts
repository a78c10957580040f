/** Which workspace an invite's code leads to, as its broker says; the chain has to bear it out. */
import { z } from "zod";
import type { FetchJson } from "#protocol/ports.ts";
import { id } from "#protocol/schema.ts";
import { refusalOf } from "../refusal.ts";

const found = z.object({ workspace: id });

/** @throws MeshError invite_not_found, offline */
export async function lookUpInvite(fetchJson: FetchJson, broker: string, code: string): Promise<string> {
  const { status, body } = await fetchJson(`${broker}/v1/invites/${code}`);
  const parsed = found.safeParse(body);
  if (status === 200 && parsed.success) return parsed.data.workspace;
  throw refusalOf(broker, status, body);
}
