/** What a machine's own account leaves behind when another person's takes its place: it was made here and is nowhere else. */
import { MeshError } from "#protocol/errors.ts";
import type { Opened, Peer } from "../peer.ts";
import { PERSONAL } from "../which-workspace.ts";

/**
 * The workspace for notes is there from the first start; with nothing in it nobody misses it.
 * @throws MeshError refused
 */
export function requireNothingLost(peer: Pick<Peer, "opened" | "broken">): void {
  const lost = [...peer.opened().filter(isMissed), ...peer.broken()].map(({ slug }) => slug);
  if (lost.length === 0) return;
  throw new MeshError(
    "refused",
    `This machine has an account of its own, which would be lost, and with it what is in ${lost.join(", ")}.`,
    "Register it instead (--register, with another e-mail address), or add --yes to lose it.",
  );
}

function isMissed({ slug, workspace }: Opened): boolean {
  if (slug !== PERSONAL) return true;
  return workspace.replica.db.sql("SELECT 1 FROM messages LIMIT 1").get() !== undefined;
}
