/** Logging in and out. */
import { decodeCode, RECOVERY_CODE } from "#protocol/account/codes.ts";
import { type LoginName, normalEmail } from "#protocol/account/keys.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import type { Handlers } from "#protocol/registry.ts";
import { randomWords } from "#protocol/words.ts";
import { newIdentity } from "../account/account.ts";
import { readIdentity } from "../account/identity.ts";
import { requireNothingLost } from "../account/left-behind.ts";
import {
  type Before,
  type Entered,
  keysOfPassphrase,
  login,
  recover,
  register,
  replaceVault,
  withRoot,
} from "../account/login.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Brokers } from "../which-broker.ts";
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

  const before = (force: boolean): Before => ({
    identity: readIdentity(ports.keychain),
    requireFree(rootKey) {
      if (person.isLoggedOut() || toBase64url(peer.account.rootKey) === rootKey) return;
      const { home } = peer.account;
      if (home) throw anothersVault(home.origin);
      if (!force) requireNothingLost(peer);
    },
  });

  /** What was made here without a home moves there, where the other machines find it. */
  const moveHome = async (origin: string) => {
    for (const opened of [...peer.opened()]) {
      const { workspace } = opened;
      const members = [...(workspace.chain()?.members.values() ?? [])].filter(({ active }) => active);
      const isAlone = members.length === 1 && members[0]?.id === workspace.me;
      const isHereOnly = workspace.broker === null || workspace.broker === brokers.embedded;
      if (isAlone && isHereOnly && !hasOpenInvite(workspace, peer.now())) await peer.move(opened, origin);
    }
  };

  const enter = async ({ identity, link }: Entered, name: LoginName, recoveryCode: string | null) => {
    const isSame = !person.isLoggedOut() && toBase64url(peer.account.rootKey) === identity.rootKey;
    peer.sync.stop();
    if (!isSame) await peer.discardAll();
    person.adopt(identity, link);
    const { account } = peer;
    try {
      await peer.sync.settle();
      await peer.follow();
      if (peer.opened().length + peer.broken().length === 0) await peer.create(PERSONAL, name.origin);
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
    async login({ passphrase, force = false, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const entered = await login(ports, before(force), name, passphrase);
      return enter(entered, name, null);
    },
    async recover({ passphrase, recoveryCode, force = false, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const code = decodeCode(RECOVERY_CODE, recoveryCode);
      const entered = await recover(ports, before(force), name, code, passphrase);
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
      if (!link) throw notRegistered();
      await withRoot(ports, peer.account, passphrase, async (root, name) => {
        const keys = await keysOfPassphrase(ports, name, next);
        await replaceVault(ports, link, { root, name, keys, kind: "passphrase" });
      });
      return {};
    },
  };
}

function hasOpenInvite(workspace: Workspace, now: number): boolean {
  const invites = [...(workspace.chain()?.invites.values() ?? [])];
  return invites.some(({ void: isVoid, used, uses, expiresAt }) => !isVoid && used < uses && expiresAt > now);
}

function anothersVault(origin: string): MeshError {
  return new MeshError(
    "wrong_author",
    `${origin} gave another account's vault than this machine's.`,
    "Don't trust this broker; or log out first to use another account: claudemesh logout",
  );
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
