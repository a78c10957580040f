/** A person into a backup, and out of it onto a machine. */
import {
  BACKUP_SALT_BYTES,
  type Backup,
  backupKey,
  openBackup,
  readBackupFile,
  sealBackup,
} from "#protocol/account/backup.ts";
import { normalPassphrase } from "#protocol/account/keys.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Peer } from "../peer.ts";
import type { PeerPorts } from "../ports.ts";
import type { Brokers } from "../which-broker.ts";
import { PERSONAL } from "../which-workspace.ts";
import { certifyByRoot } from "./account.ts";
import { ensurePersonal, ownHere } from "./entering.ts";
import { type Identity, requiredIdentity } from "./identity.ts";
import { openedRoot } from "./login.ts";

/**
 * `rootPassphrase`: opens the vault, so that its root comes along. `left`: slugs of workspaces that are on this machine only.
 * @throws MeshError bad_data for a passphrase that is too short, wrong_passphrase for the account's
 */
export async function makeBackup(
  peer: Peer,
  { embedded }: Brokers,
  passphrase: string,
  rootPassphrase: string | undefined,
): Promise<{ file: Uint8Array; backup: Backup; left: string[] }> {
  const { ports, person, account } = peer;
  const { rootKey, root, seeds, formerly, home } = requiredIdentity(ports.keychain);
  const isOpened = home !== null && rootPassphrase !== undefined;
  const here = peer.opened().map(({ slug, workspace: { id, broker } }) => ({ id, slug, broker }));
  const workspaces = here.flatMap(({ broker, ...one }) =>
    broker !== null && broker !== embedded ? [{ ...one, broker }] : [],
  );
  const left = here.filter(({ id }) => !workspaces.some((one) => one.id === id));
  const value: Backup = {
    type: "backup",
    made: Math.floor(peer.now()),
    name: account.name,
    rootKey,
    root: isOpened ? toBase64url(await openedRoot(ports, account, rootPassphrase)) : root,
    seeds,
    formerly,
    home,
    // A broker that came with this machine is nowhere else.
    entries: person.document.entries().filter(({ key }) => !left.some(({ id }) => key === `workspace/${id}`)),
    workspaces,
  };
  const salt = ports.random(BACKUP_SALT_BYTES);
  const key = backupKey(await ports.stretch(normalPassphrase(passphrase), salt));
  return {
    file: sealBackup(key, salt, value, ports.random),
    backup: value,
    left: left.map(({ slug }) => slug),
  };
}

/** @throws MeshError bad_data, wrong_passphrase */
export async function openedBackup(
  { stretch }: Pick<PeerPorts, "stretch">,
  bytes: Uint8Array,
  passphrase: string,
): Promise<Backup> {
  const file = readBackupFile(bytes);
  return openBackup(backupKey(await stretch(normalPassphrase(passphrase), file.salt)), file);
}

/**
 * The machine becomes a new device of that person; where it is one already, it takes in what it doesn't know yet.
 * @throws MeshError conflict on somebody else's machine, not_allowed without a root
 */
export async function restoreBackup(
  peer: Peer,
  brokers: Brokers,
  backup: Backup,
): Promise<{ isNewDevice: boolean }> {
  const { person } = peer;
  const isSame = !person.isLoggedOut() && requiredIdentity(peer.ports.keychain).rootKey === backup.rootKey;
  if (isSame) await learn(peer, backup);
  else await become(peer, brokers, backup);
  return { isNewDevice: !isSame };
}

async function learn(peer: Peer, { seeds, formerly, entries, workspaces }: Backup): Promise<void> {
  const identity = requiredIdentity(peer.ports.keychain);
  const isUnknown = (one: Identity["seeds"][number]) =>
    !identity.seeds.some(({ number }) => number === one.number);
  const isForgotten = (one: Identity["formerly"][number]) =>
    !identity.formerly.some(({ user }) => user === one.user);
  peer.person.adopt({
    ...identity,
    seeds: [...identity.seeds, ...seeds.filter(isUnknown)].toSorted((a, b) => a.number - b.number),
    formerly: [...identity.formerly, ...formerly.filter(isForgotten)],
  });
  peer.person.document.merge(entries, true);
  addWorkspaces(peer, workspaces);
  await peer.follow();
  await Promise.all(peer.opened().map(({ workspace }) => workspace.seedsChanged()));
}

async function become(peer: Peer, brokers: Brokers, backup: Backup): Promise<void> {
  const { ports, person } = peer;
  const { rootKey, seeds, formerly, entries, name, workspaces } = backup;
  requireNobody(peer);
  const root = await rootOf(ports, backup);
  const secret = ports.random(32);
  const device = await certifyByRoot(ports.curves, root, secret);
  peer.asking.forget();
  for (const one of [...peer.opened()]) await peer.remove(one);
  person.adopt({
    type: "identity",
    rootKey,
    root: toBase64url(root),
    seeds,
    formerly,
    secret: toBase64url(secret),
    device,
    home: null,
  });
  const { document } = person;
  document.merge(entries);
  addWorkspaces(peer, workspaces);
  if (!document.get("name")) document.set("name", "", { name });
  document.set("device", peer.account.device.id, { name: peer.host });
  await peer.reopen();
  await peer.follow();
  await ensurePersonal(peer, brokers);
}

function addWorkspaces({ person: { document } }: Peer, workspaces: Backup["workspaces"]): void {
  // Those that were taken away, too.
  const known = new Set(document.entries().map(({ key }) => key));
  for (const { id, slug, broker } of workspaces)
    if (!known.has(`workspace/${id}`)) document.set("workspace", id, { slug, broker });
}

/** @throws MeshError not_allowed where the vault has it, bad_data for one that isn't this account's */
async function rootOf({ curves }: Pick<PeerPorts, "curves">, { root, rootKey, home }: Backup) {
  if (root === null) throw inTheVault(home);
  const secret = fromBase64url(root);
  if (toBase64url(await curves.signingPublicKey(secret)) === rootKey) return secret;
  throw new MeshError("bad_data", "The backup's root key isn't its account's.", "Take another copy of it.");
}

/** Nothing is lost by what becomes another person's machine. @throws MeshError conflict */
function requireNobody(peer: Peer): void {
  const own = ownHere(peer);
  if (!own) return;
  if (own !== "workspaces")
    throw new MeshError(
      "conflict",
      `This machine is logged in as ${own.email} at ${own.origin}, which is another account.`,
      "Log out first: claudemesh logout",
    );
  throw new MeshError(
    "conflict",
    `This machine has another account of its own, with more than an empty "${PERSONAL}".`,
    "Restore into another home: CLAUDEMESH_HOME=~/.claudemesh-restored claudemesh restore FILE",
  );
}

function inTheVault(home: Backup["home"]): MeshError {
  const where = home ? ` --broker ${home.origin} --email ${home.email}` : "";
  return new MeshError(
    "not_allowed",
    `This account is registered: its root is in its vault${home ? ` at ${home.origin}` : ""}, not in the backup.`,
    `Log in, then restore again for what the broker may have lost: claudemesh login${where}`,
  );
}
