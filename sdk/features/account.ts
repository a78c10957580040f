/** Logging in and out. */
import { decodeCode, RECOVERY_CODE } from "#protocol/account/codes.ts";
import { type LoginName, normalEmail } from "#protocol/account/keys.ts";
import { MeshError } from "#protocol/errors.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import type { Handlers } from "#protocol/registry.ts";
import { randomWords } from "#protocol/words.ts";
import { currentSeed, newIdentity } from "../account/account.ts";
import { readIdentity } from "../account/identity.ts";
import {
  type Entered,
  keysOfPassphrase,
  login,
  openedRoot,
  recover,
  register,
  replaceVault,
} from "../account/login.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Brokers } from "../which-broker.ts";
import type { Workspace } from "../workspace.ts";

const WORDS = 6;

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
      const members = [...(workspace.chain()?.members.values() ?? [])].filter(({ active }) => active);
      const isAlone = members.length === 1 && members[0]?.id === workspace.me;
      const isHereOnly = workspace.broker === null || workspace.broker === brokers.embedded;
      if (isAlone && isHereOnly && !hasOpenInvite(workspace, peer.now())) await peer.move(opened, origin);
    }
  };

  const enter = async ({ identity, link }: Entered, name: LoginName, recoveryCode: string | null) => {
    const before = person.isLoggedOut() ? null : peer.account;
    peer.sync.stop();
    person.adopt(identity, link);
    if (peer.account !== before) await peer.reopen();
    await peer.sync.settle();
    await peer.follow();
    const { account } = peer;
    if (!person.document.get("name")) person.document.set("name", "", { name: account.name });
    if (!person.document.get("device", account.device.id)) {
      person.document.set("device", account.device.id, { name: peer.host });
    }
    await moveHome(name.origin);
    await peer.sync.settle();
    peer.sync.start();
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
      if (person.isLoggedOut()) person.adopt(await newIdentity(ports));
      const entered = await register(ports, peer.account, name, passphrase);
      return enter(entered, name, entered.recoveryCode);
    },
    async login({ passphrase, ...where }) {
      const name = nameOf(where);
      requireFree(name);
      const before = readIdentity(ports.keychain);
      const entered = await login(ports, before, name, passphrase);
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
