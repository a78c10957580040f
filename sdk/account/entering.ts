/** A machine becomes one of an account's: what was on it comes along, and what the account has comes here. */
import { MeshError } from "#protocol/errors.ts";
import type { Peer } from "../peer.ts";
import { type Brokers, brokerForNew } from "../which-broker.ts";
import { PERSONAL } from "../which-workspace.ts";
import type { Workspace } from "../workspace.ts";
import type { Home } from "./account.ts";
import { tellFormer, withFormer } from "./former.ts";
import { type Identity, readIdentity } from "./identity.ts";
import type { Entered } from "./login.ts";
import { isAlone, isEmptyPersonal, migrateTo } from "./migration.ts";

/** The account that was on this machine goes over into the one that is entered. @throws MeshError refused, offline */
export async function goOver(
  peer: Peer,
  { identity, root }: Pick<Entered, "identity" | "root">,
  home: string | null,
): Promise<Identity> {
  const old = readIdentity(peer.ports.keychain);
  if (!old || old.rootKey === identity.rootKey) return identity;
  const { user } = peer.account;
  if (root) await migrateTo(peer, { identity, root }, home);
  else {
    requireNothing(peer);
    for (const one of [...peer.opened()]) await peer.remove(one);
  }
  return withFormer(identity, old, user);
}

/** What would be lost if this machine became another person's: the home it is logged in at, or workspaces of its own. */
export function ownHere(peer: Peer): Home | "workspaces" | null {
  const { person } = peer;
  if (person.isLoggedOut()) return null;
  const home = person.home();
  if (home) return home;
  return peer.broken().length === 0 && peer.opened().every(isEmptyPersonal) ? null : "workspaces";
}

/** Where none is. */
export async function ensurePersonal(peer: Peer, brokers: Brokers): Promise<void> {
  if (peer.opened().some(({ slug }) => slug === PERSONAL)) return;
  await peer.create(PERSONAL, brokerForNew(brokers, peer.person));
}

/** Without a root at hand nothing can go over. @throws MeshError conflict, refused */
export function requireNothing(peer: Peer): void {
  const own = ownHere(peer);
  if (!own) return;
  if (own !== "workspaces")
    throw new MeshError(
      "conflict",
      `This machine is logged in as ${own.email} at ${own.origin}.`,
      "Log out first: claudemesh logout",
    );
  throw new MeshError(
    "refused",
    `This machine has an account of its own, with more than an empty "${PERSONAL}".`,
    "Log in by the passphrase, and it comes along: claudemesh login",
  );
}

/** Afterwards both sides have the same document, and it is kept so. */
export async function enter(peer: Peer, brokers: Brokers, entered: Entered, home: Home): Promise<void> {
  const { person, sync } = peer;
  const identity = await goOver(peer, entered, home.origin).catch(async (error) => {
    // This machine stays what it was: its place at the account's home isn't taken.
    await entered.link.leave();
    throw error;
  });
  const before = person.isLoggedOut() ? null : peer.account;
  sync.stop();
  person.adopt(identity, entered.link);
  if (peer.account !== before) await peer.reopen();
  const { account } = peer;
  try {
    await sync.settle();
    await peer.follow();
    tellFormer(peer.ports, person, identity);
    if (peer.opened().length + peer.broken().length === 0) await peer.create(PERSONAL, home.origin);
    peer.remember();
    if (!person.document.get("name")) person.document.set("name", "", { name: account.name });
    if (!person.document.get("device", account.device.id)) {
      person.document.set("device", account.device.id, { name: peer.host });
    }
    await moveHome(peer, brokers, home.origin);
    await sync.settle();
  } finally {
    // It goes on trying where the broker has gone in between.
    sync.start();
  }
  for (const { workspace } of peer.opened()) workspace.wake();
}

/** What was made here without a home moves there, where the other machines find it. */
async function moveHome(peer: Peer, { embedded }: Brokers, origin: string): Promise<void> {
  for (const opened of [...peer.opened()]) {
    const { workspace } = opened;
    const isHereOnly = workspace.broker === null || workspace.broker === embedded;
    const isMineOnly = isAlone(workspace) && !hasOpenInvite(workspace, peer.now());
    if (isHereOnly && isMineOnly) await peer.move(opened, origin);
  }
}

function hasOpenInvite(workspace: Workspace, now: number): boolean {
  const invites = [...(workspace.chain()?.invites.values() ?? [])];
  return invites.some(({ void: isVoid, used, uses, expiresAt }) => !isVoid && used < uses && expiresAt > now);
}
