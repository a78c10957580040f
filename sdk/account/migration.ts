/** This device's person goes over into another identity: each workspace hears it from the old one before the device changes sides. */
import { MeshError } from "#protocol/errors.ts";
import { migrationOf } from "../membership/root-entries.ts";
import type { Opened, Peer } from "../peer.ts";
import { PERSONAL } from "../which-workspace.ts";
import type { Workspace } from "../workspace.ts";
import { accountOf } from "./account.ts";
import { type Identity, ownRoot } from "./identity.ts";

/** Both have their roots at hand: the one lets go, the other takes it. */
export type Heir = { identity: Identity; root: Uint8Array };

const LIMIT_MS = 10_000;

/**
 * Afterwards every workspace of the old identity is the heir's, or was an empty `personal` and is gone. Stopped in between
 * it may be done again. `home`: where workspaces go that have no broker.
 * @throws MeshError refused, offline: some may have gone over, none is lost
 */
export async function migrateTo(peer: Peer, heir: Heir, home: string | null): Promise<void> {
  const [hurt] = peer.broken();
  if (hurt) throw cant(hurt.slug, hurt.why.message);
  const roots = { old: ownRoot(peer.ports.keychain), heir: heir.root };
  const account = accountOf(heir.identity, peer.account.name);
  const empty = peer.opened().filter(isEmptyPersonal);
  for (const { slug, workspace } of peer.opened().filter((one) => !empty.includes(one))) {
    if (workspace.broker === null) await bringToBroker(peer, workspace.id, home);
    const here = peer.writable(workspace.id).workspace;
    if (!(await isReady(slug, here))) continue;
    await here.rootEntries.bring(
      await migrationOf(peer.ports, peer.account, account, here.id, roots),
      LIMIT_MS,
    );
  }
  for (const one of empty) await peer.remove(one);
  peer.makeRoomFor(PERSONAL);
}

export function isAlone({ chain, me }: Workspace): boolean {
  const members = [...(chain()?.members.values() ?? [])].filter(({ active }) => active);
  return members.length === 1 && members[0]?.id === me;
}

export function isEmptyPersonal({ slug, workspace }: Opened): boolean {
  const said = () => workspace.replica.db.sql("SELECT 1 FROM messages LIMIT 1").get();
  return slug === PERSONAL && isAlone(workspace) && !said();
}

async function bringToBroker(peer: Peer, id: string, home: string | null): Promise<void> {
  const opened = peer.writable(id);
  if (home === null) throw cant(opened.slug, "it is on this machine only, and there is no broker for it");
  await peer.move(opened, home);
}

/** False where the old identity has gone over before. @throws MeshError refused */
async function isReady(
  slug: string,
  { changed, link, linkTrouble, trouble, replica, chain }: Workspace,
): Promise<boolean> {
  const isOver = () => trouble()?.code === "not_a_member";
  const isHere = () => link() === "online" && replica.outboxSize() === 0 && chain() !== null;
  try {
    await changed.until(() => isOver() || isHere() || null, LIMIT_MS, `${slug}'s broker`);
  } catch {
    throw cant(slug, (trouble() ?? linkTrouble())?.message ?? "its broker can't be reached");
  }
  return !isOver();
}

function cant(slug: string, why: string): MeshError {
  return new MeshError(
    "refused",
    `${slug} can't come along: ${why.replace(/\.$/, "")}.`,
    `Try again when it can, or do without it: claudemesh workspace leave ${slug}, or delete ${slug}.`,
  );
}
