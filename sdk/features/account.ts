/** Logging in and out. */
import { decodeCode, RECOVERY_CODE } from "#protocol/account/codes.ts";
import { type LoginName, normalEmail } from "#protocol/account/keys.ts";
import { fromBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import type { Handlers } from "#protocol/registry.ts";
import { randomWords } from "#protocol/words.ts";
import { currentSeed, newIdentity } from "../account/account.ts";
import { tellFormer, withFormer } from "../account/former.ts";
import { type Identity, readIdentity } from "../account/identity.ts";
import {
  type Entered,
  keysOfPassphrase,
  login,
  openedRoot,
  recover,
  register,
  replaceVault,
} from "../account/login.ts";
import { type Heir, isAlone, migrateTo } from "../account/migration.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import { type Brokers, brokerForNew } from "../which-broker.ts";
import { PERSONAL } from "../which-workspace.ts";
import type { Workspace } from "../workspace.ts";

const WORDS = 6;
const OUTBOX_WAIT_MS = 3000;

type Where = { broker?: string | undefined; email?: string | undefined };

export function accountHandlers(peer: Peer, brokers: Brokers): Omit<Handlers<Caller>["account"], "whoami"> {
  const { ports, person } = peer;

  const nameOf = ({ broker, email }: Where): LoginName => {
    const last = person.home();
    const origin = broker ?? last?.origin ?? brokers.given;
    if (!origin) throw missing("broker", "--broker URL");
    const known = email ?? last?.email;
    if (!known) throw missing("e-mail address", "--email YOU@EXAMPLE.ORG");
    return { origin: brokerOrigin(origin), email: normalEmail(known) };
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

  /** What was made here without a home moves there, where the other machines find it. */
  const moveHome = async (origin: string) => {
    for (const opened of [...peer.opened()]) {
      const { workspace } = opened;
      const isHereOnly = workspace.broker === null || workspace.broker === brokers.embedded;
      const isMineOnly = isAlone(workspace) && !hasOpenInvite(workspace, peer.now());
      if (isHereOnly && isMineOnly) await peer.move(opened, origin);
    }
  };

  /** The account that was on this machine becomes the one that is entered. */
  const goOver = async ({ identity, root }: Heir, home: string | null): Promise<Identity> => {
    const old = readIdentity(ports.keychain);
    if (!old || old.rootKey === identity.rootKey) return identity;
    const { user } = peer.account;
    await migrateTo(peer, { identity, root }, home);
    return withFormer(identity, old, user);
  };

  const enter = async (entered: Entered, name: LoginName, recoveryCode: string | null) => {
    const identity = await goOver(entered, name.origin);
    const before = person.isLoggedOut() ? null : peer.account;
    peer.sync.stop();
    person.adopt(identity, entered.link);
    if (peer.account !== before) await peer.reopen();
    const { account } = peer;
    try {
      await peer.sync.settle();
      await peer.follow();
      tellFormer(ports, person, identity);
      if (peer.opened().length + peer.broken().length === 0) await peer.create(PERSONAL, name.origin);
      peer.remember();
      if (!person.document.get("name")) person.document.set("name", "", { name: account.name });
      if (!person.document.get("device", account.device.id)) {
        person.document.set("device", account.device.id, { name: peer.host });
      }
      await moveHome(name.origin);
      await peer.sync.settle();
    } finally {
      // It goes on trying where the broker has gone in between.
      peer.sync.start();
    }
    for (const { workspace } of peer.opened()) workspace.wake();
    return {
      userId: account.user,
      name: peer.account.name,
      email: name.email,
      broker: name.origin,
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
      return enter(entered, name, entered.recoveryCode);
    },
    async login({ passphrase, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const entered = await login(ports, readIdentity(ports.keychain), name, passphrase);
      return enter(entered, name, null);
    },
    async recover({ passphrase, recoveryCode, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const code = decodeCode(RECOVERY_CODE, recoveryCode);
      const entered = await recover(ports, readIdentity(ports.keychain), name, code, passphrase);
      return enter(entered, name, entered.recoveryCode);
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
      // Whether it hears of it or not: what it could be used for lies here, and goes.
      await person
        .homeLink()
        ?.ask("logout", {})
        .catch(() => {});
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
      person.adopt(await goOver({ identity, root: secret }, brokers.given ?? brokers.embedded));
      await peer.reopen();
      if (!peer.opened().some(({ slug }) => slug === PERSONAL))
        await peer.create(PERSONAL, brokerForNew(brokers, person));
      peer.remember();
      return { userId: peer.account.user, workspaces: peer.opened().map(({ slug }) => slug) };
    },
    async rotate({ passphrase }) {
      const root = await openedRoot(ports, peer.account, passphrase);
      const { waiting } = await peer.renewSeed(root, []);
      return { seed: currentSeed(peer.account).number, waiting };
    },
  };
}

function hasOpenInvite(workspace: Workspace, now: number): boolean {
  const invites = [...(workspace.chain()?.invites.values() ?? [])];
  return invites.some(({ void: isVoid, used, uses, expiresAt }) => !isVoid && used < uses && expiresAt > now);
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

export function deviceName(peer: Peer, id: string): string {
  return peer.person.document.get("device", id)?.name ?? id.slice(-8);
}

export function notRegistered(): MeshError {
  return new MeshError(
    "not_registered",
    "This account lives on this machine alone.",
    "Register it: claudemesh login --broker URL --email YOU --register",
  );
}
