/** Logging in and out. */
import { decodeCode, RECOVERY_CODE } from "#protocol/account/codes.ts";
import { type LoginName, normalEmail } from "#protocol/account/keys.ts";
import { fromBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import type { Handlers } from "#protocol/registry.ts";
import { randomWords } from "#protocol/words.ts";
import { currentSeed, type Home, newIdentity } from "../account/account.ts";
import { ensurePersonal, enter, goOver, requireNothing } from "../account/entering.ts";
import { notRegistered } from "../account/home.ts";
import { readIdentity } from "../account/identity.ts";
import {
  type Entered,
  keysOfPassphrase,
  login,
  openedRoot,
  recover,
  register,
  renewRecovery,
  replaceVault,
} from "../account/login.ts";
import { usePairing } from "../account/pairing.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Brokers } from "../which-broker.ts";
import type { Workspace } from "../workspace.ts";

const WORDS = 6;
const OUTBOX_WAIT_MS = 3000;

type Where = { broker?: string | undefined; email?: string | undefined };

export function accountHandlers(
  peer: Peer,
  brokers: Brokers,
): Omit<Handlers<Caller>["account"], "whoami" | "backup" | "restore"> {
  const { ports, person } = peer;

  const originOf = (broker: string | undefined): string => {
    const origin = broker ?? person.home()?.origin ?? brokers.given;
    if (!origin) throw missing("broker", "--broker URL");
    return brokerOrigin(origin);
  };

  const nameOf = ({ broker, email }: Where): LoginName => {
    const origin = originOf(broker);
    const known = email ?? person.home()?.email;
    if (!known) throw missing("e-mail address", "--email YOU@EXAMPLE.ORG");
    return { origin, email: normalEmail(known) };
  };

  const requireFree = ({ origin, email }: LoginName) => {
    const home = person.isLoggedOut() ? null : person.home();
    if (!home || (home.origin === origin && home.email === email)) return;
    throw new MeshError(
      "conflict",
      `This machine is logged in as ${home.email} at ${home.origin}.`,
      "Log out first: claudemesh logout",
    );
  };

  const loggedIn = async (entered: Entered, home: Home, recoveryCode: string | null) => {
    await enter(peer, brokers, entered, home);
    const { account } = peer;
    return {
      userId: account.user,
      name: account.name,
      email: home.email,
      broker: home.origin,
      device: { id: account.device.id, name: deviceName(peer, account.device.id) },
      workspaces: peer.opened().map(({ slug }) => slug),
      recoveryCode,
    };
  };

  return {
    async register({ passphrase, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const own = readIdentity(ports.keychain) ?? (await newIdentity(ports));
      const entered = await register(ports, own, name, passphrase);
      return loggedIn(entered, name, entered.recoveryCode);
    },
    async login({ passphrase, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const entered = await login(ports, readIdentity(ports.keychain), name, passphrase);
      return loggedIn(entered, name, null);
    },
    async recover({ passphrase, recoveryCode, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const code = decodeCode(RECOVERY_CODE, recoveryCode);
      const entered = await recover(ports, readIdentity(ports.keychain), name, code, passphrase);
      return loggedIn(entered, name, entered.recoveryCode);
    },
    async pair({ broker, code }, caller) {
      const origin = originOf(broker);
      requireNothing(peer);
      const { home, ...entered } = await usePairing(ports, origin, code, peer.host, goneOf(caller));
      return loggedIn(entered, home, null);
    },
    async logout({ force = false }) {
      const { user, home } = peer.account;
      if (!home) person.forget();
      if (!home) throw new Error("an account without a home isn't forgotten");
      await Promise.all(peer.opened().map(({ workspace }) => emptied(workspace)));
      const waiting = peer.opened().filter(({ workspace }) => workspace.replica.outboxSize() > 0);
      if (waiting.length > 0 && !force) throw stillWaiting(waiting);
      await peer.sync.settle().catch(() => {});
      peer.sync.stop();
      await person.homeLink()?.leave();
      person.forget();
      await peer.discardAll();
      return { userId: user, broker: home.origin, email: home.email };
    },
    suggest: () => ({ passphrase: randomWords(ports.random, WORDS).join(" ") }),
    async passphrase({ passphrase, next }) {
      const link = person.homeLink();
      const { home: name } = peer.account;
      if (!link || !name) throw notRegistered();
      const root = await openedRoot(ports, peer.account, passphrase);
      const keys = await keysOfPassphrase(ports, name, next);
      await replaceVault(ports, link, { root, name, keys, kind: "passphrase" });
      return {};
    },
    async migrate({ root }) {
      if (person.home())
        throw new MeshError(
          "refused",
          "This account is registered: its root is in its vault.",
          "Log out first (claudemesh logout); a machine that isn't registered can take another root.",
        );
      const secret = fromBase64url(root);
      if (secret.length !== 32)
        throw new MeshError("bad_data", "That is no Ed25519 key.", "Give its 32 bytes.");
      const identity = await newIdentity(ports, secret);
      person.adopt(await goOver(peer, { identity, root: secret }, brokers.given ?? brokers.embedded));
      await peer.reopen();
      await ensurePersonal(peer, brokers);
      peer.remember();
      return { userId: peer.account.user, workspaces: peer.opened().map(({ slug }) => slug) };
    },
    async recoveryCode({ passphrase }) {
      const link = person.homeLink();
      const { home: name } = peer.account;
      if (!link || !name) throw notRegistered();
      const root = await openedRoot(ports, peer.account, passphrase);
      return { recoveryCode: await renewRecovery(ports, link, root, name) };
    },
    async rotate({ passphrase }) {
      const root = await openedRoot(ports, peer.account, passphrase);
      const { waiting } = await peer.renewSeed(root, []);
      return { seed: currentSeed(peer.account).number, waiting };
    },
  };
}

/** Waits a moment for what is on its way, where there is one. */
async function emptied({ changed, replica, link }: Workspace): Promise<void> {
  const isOver = () => (replica.outboxSize() === 0 || link() === "offline" ? true : null);
  await changed.until(isOver, OUTBOX_WAIT_MS, "the outbox").catch(() => {});
}

function missing(what: string, flag: string): MeshError {
  return new MeshError("usage", `The ${what} is missing.`, `Add ${flag}`);
}

function stillWaiting(waiting: readonly Opened[]): MeshError {
  const slugs = waiting.map(({ slug }) => slug).join(", ");
  return new MeshError(
    "refused",
    `Something still waits to be sent in ${slugs}; a logout would lose it.`,
    "Wait until `claudemesh status` shows an empty outbox, or add --yes.",
  );
}

/** Whether whoever asked has gone away. */
export function goneOf(caller: Caller): () => boolean {
  let isGone = false;
  caller.ended(() => {
    isGone = true;
  });
  return () => isGone;
}

export function deviceName(peer: Peer, id: string): string {
  return peer.person.document.get("device", id)?.name ?? id.slice(-8);
}
