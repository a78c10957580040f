/** Registering, logging in, and coming back by the recovery code. The root is opened here and nowhere kept. */
import { type CallParams, registerInput, vaultInput } from "#protocol/account/api.ts";
import { encodeCode, newCode, RECOVERY_CODE } from "#protocol/account/codes.ts";
import {
  contentsKey,
  type LoginKeys,
  type LoginName,
  loginId,
  loginSalt,
  normalPassphrase,
  passphraseKeys,
  recoveryKeys,
} from "#protocol/account/keys.ts";
import { openContents, openRoot, sealContents, sealRoot } from "#protocol/account/vault.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { idOf } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { PeerPorts } from "../ports.ts";
import { type Account, accountOf, certifyByRoot } from "./account.ts";
import { askHome, createHomeLink, entryOf, type HomeLink } from "./home.ts";
import { type Identity, ownRoot } from "./identity.ts";

/** Shown once, and good until it has been used. */
export type RecoveryCode = string;

/** `root`: for the moment; null where it stayed in the vault. */
export type Entered = { identity: Identity; link: HomeLink; root: Uint8Array | null };
type EnteredByRoot = Entered & { root: Uint8Array };

/** `before`: with its root. @throws MeshError account_exists, conflict, bad_data for a passphrase that is too short */
export async function register(
  ports: PeerPorts,
  before: Identity,
  name: LoginName,
  passphrase: string,
): Promise<Entered & { recoveryCode: RecoveryCode }> {
  if (!before.root) throw alreadyRegistered(before);
  const account = accountOf(before, "");
  const root = fromBase64url(before.root);
  const keys = await keysOfPassphrase(ports, name, passphrase);
  const code = newCode(RECOVERY_CODE, ports.random);
  const recovery = recoveryKeys(code, name);
  const { seeds, formerly } = before;
  const boxes = {
    login: loginId(name),
    vault: sealRoot(keys.vault, root, ports.random),
    contents: sealContents(contentsKey(root), { type: "contents", seeds, formerly }, ports.random),
  };
  const identity: Identity = { ...before, root: null, home: homeOf(name) };
  const link = createHomeLink(ports, account, name.origin);
  const tokens = await askHome(ports, name.origin, "register", {
    ...boxes,
    loginKey: toBase64url(keys.login),
    recoveryKey: toBase64url(recovery.login),
    root: before.rootKey,
    recovery: sealRoot(recovery.vault, root, ports.random),
    proof: toBase64url(await ports.curves.sign(root, registerInput(name.origin, boxes))),
    entry: await entryOf(ports, account, name.origin),
  });
  link.take(tokens);
  return { identity, link, root, recoveryCode: encodeCode(RECOVERY_CODE, code) };
}

/**
 * A machine comes in. `before`: whose it is so far.
 * @throws MeshError wrong_passphrase, slow_down, bad_seal, wrong_author, rolled_back
 */
export async function login(
  ports: PeerPorts,
  before: Identity | null,
  name: LoginName,
  passphrase: string,
): Promise<Entered> {
  return comeIn(ports, before, name, await keysOfPassphrase(ports, name, passphrase));
}

/** Comes in by the recovery code, and replaces both it and the passphrase. @throws as `login` */
export async function recover(
  ports: PeerPorts,
  before: Identity | null,
  name: LoginName,
  code: Uint8Array,
  passphrase: string,
): Promise<Entered & { recoveryCode: RecoveryCode }> {
  const keys = await keysOfPassphrase(ports, name, passphrase);
  const { root, identity, link } = await comeIn(ports, before, name, recoveryKeys(code, name));
  await replaceVault(ports, link, { root, name, keys, kind: "passphrase" });
  return { identity, link, root, recoveryCode: await renewRecovery(ports, link, root, name) };
}

/** The one before opens nothing any more, but for an old copy of what the broker keeps. */
export async function renewRecovery(
  ports: PeerPorts,
  link: HomeLink,
  root: Uint8Array,
  name: LoginName,
): Promise<RecoveryCode> {
  const code = newCode(RECOVERY_CODE, ports.random);
  await replaceVault(ports, link, { root, name, keys: recoveryKeys(code, name), kind: "recovery" });
  return encodeCode(RECOVERY_CODE, code);
}

/** The root, for the moment: from the vault, or of an account that isn't registered. @throws as `login`; usage without a passphrase */
export async function openedRoot(
  ports: PeerPorts,
  { home }: Pick<Account, "home">,
  passphrase: string | undefined,
): Promise<Uint8Array> {
  if (!home) return ownRoot(ports.keychain);
  if (passphrase === undefined)
    throw new MeshError("usage", "The root is in the vault, which opens by the passphrase.", "Give it.");
  const { root } = await openVault(ports, home, await keysOfPassphrase(ports, home, passphrase));
  return root;
}

/** Another passphrase for the vault, or another recovery code: an old copy of the vault opens with the old one for ever. */
export async function replaceVault(
  ports: PeerPorts,
  link: HomeLink,
  {
    root,
    name,
    keys,
    kind,
  }: { root: Uint8Array; name: LoginName; keys: LoginKeys; kind: "passphrase" | "recovery" },
): Promise<void> {
  const user = idOf(await ports.curves.signingPublicKey(root));
  const loginKey = toBase64url(keys.login);
  const box = sealRoot(keys.vault, root, ports.random);
  const proof = toBase64url(
    await ports.curves.sign(root, vaultInput(name.origin, user, { kind, loginKey, box })),
  );
  if (kind === "passphrase") await link.ask("changePassphrase", { loginKey, vault: box, proof });
  else await link.ask("changeRecovery", { recoveryKey: loginKey, recovery: box, proof });
}

export async function keysOfPassphrase(
  { stretch }: Pick<PeerPorts, "stretch">,
  name: LoginName,
  passphrase: string,
): Promise<LoginKeys> {
  return passphraseKeys(await stretch(normalPassphrase(passphrase), loginSalt(name)));
}

async function comeIn(
  ports: PeerPorts,
  before: Identity | null,
  name: LoginName,
  keys: LoginKeys,
): Promise<EnteredByRoot> {
  const { ticket, root, rootKey, contents } = await openVault(ports, name, keys);
  const isSame = before?.rootKey === toBase64url(rootKey);
  if (before?.home && !isSame) throw anothersVault(name);
  if (isSame) requireSeeds(contents.seeds, before.seeds, name);
  const enter = async (secret: Uint8Array) => {
    const identity: Identity = {
      type: "identity",
      rootKey: toBase64url(rootKey),
      root: null,
      seeds: contents.seeds,
      formerly: contents.formerly,
      secret: toBase64url(secret),
      device: await certifyByRoot(ports.curves, root, secret),
      home: homeOf(name),
    };
    const account = accountOf(identity, "");
    const link = createHomeLink(ports, account, name.origin);
    await link.enter(await entryOf(ports, account, name.origin), ticket);
    return { identity, link, root };
  };
  if (!isSame) return enter(ports.random(32));
  try {
    // The same person's machine stays the device that it was.
    return await enter(fromBase64url(before.secret));
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== "device_revoked") throw error;
    // Revoked for good: whoever has the passphrase comes in as another one.
    return enter(ports.random(32));
  }
}

async function openVault(ports: PeerPorts, name: LoginName, keys: LoginKeys) {
  const params: CallParams<"login"> = { login: loginId(name), key: toBase64url(keys.login) };
  const { ticket, user, vault, contents } = await askHome(ports, name.origin, "login", params);
  const root = openRoot(keys.vault, vault);
  const rootKey = await ports.curves.signingPublicKey(root);
  if (idOf(rootKey) !== user) {
    throw new MeshError(
      "wrong_author",
      `${name.origin} says that this vault is somebody else's.`,
      "Don't trust this broker.",
    );
  }
  return { ticket, root, rootKey, contents: openContents(contentsKey(root), contents) };
}

function anothersVault({ origin }: LoginName): MeshError {
  return new MeshError(
    "wrong_author",
    `${origin} gave another account's vault than this machine's.`,
    "Don't trust this broker; or log out first to use another account: claudemesh logout",
  );
}

/** Seeds are added, never taken away nor changed. @throws MeshError rolled_back */
function requireSeeds(given: Identity["seeds"], known: Identity["seeds"], { origin }: LoginName): void {
  const isThere = (one: Identity["seeds"][number]) =>
    given.some(({ number, secret }) => number === one.number && secret === one.secret);
  if (known.every(isThere)) return;
  throw new MeshError(
    "rolled_back",
    `${origin} gave an older vault than this machine knows.`,
    "If it was restored from a backup, renew the keys: claudemesh identity rotate; else don't trust it.",
  );
}

function homeOf({ origin, email }: LoginName) {
  return { origin, email };
}

function alreadyRegistered({ home }: Identity): MeshError {
  return new MeshError(
    "conflict",
    `This account is registered already${home ? `, at ${home.origin}` : ""}.`,
    "Log out first to use another: claudemesh logout",
  );
}
