/** Which workspace an invite's code leads to, as its broker says; the chain has to bear it out. */
import { MeshError } from "#protocol/errors.ts";
import { ID_PATTERN } from "#protocol/ids.ts";
import type { FetchJson } from "#protocol/ports.ts";

/** @throws MeshError invite_not_found, offline */
export async function lookUpInvite(fetchJson: FetchJson, broker: string, code: string): Promise<string> {
  const { status, body } = await fetchJson(`${broker}/v1/invites/${code}`);
  const answer = typeof body === "object" && body !== null ? body : {};
  if (
    status === 200 &&
    "workspace" in answer &&
    typeof answer.workspace === "string" &&
    ID_PATTERN.test(answer.workspace)
  ) {
    return answer.workspace;
  }
  if (status === 404)
    throw new MeshError("invite_not_found", "The broker knows no such invite.", "Ask for a new invite link.");
  throw new MeshError("offline", `The broker answered with ${status}.`, "Try again later.");
}
