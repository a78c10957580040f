/** How people and their devices come in, stay in and go: register, login, enter, refresh, logout. */
import {
  type CallParams,
  type CallResult,
  enterInput,
  refreshInput,
  registerInput,
} from "#protocol/account/api.ts";
import { loginHash } from "#protocol/account/keys.ts";
import { equalBytes, fromBase64url } from "#protocol/bytes.ts";
import { verifyCertificate } from "#protocol/certificate.ts";
import { idOf } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { createAddressPace } from "../address-pace.ts";
import {
  type AccountPorts,
  type Asking,
  deviceRevoked,
  loggedOut,
  type Operations,
  requireSignature,
  sessionOf,
} from "./asking.ts";
import { familyOf, newFamily, newRefresh, refreshHash } from "./refresh.ts";
import type { Account, Entry } from "./store.ts";
import { createThrottle, slowDown } from "./throttle.ts";
import { badToken, TOKEN_TIMES } from "./tokens.ts";
import type { Waiting } from "./waiting.ts";

/** How far a device's clock may be off. */
const CLOCK_MS = 10 * 60_000;
/** Of one account, revoked ones too. */
const MOST_DEVICES = 1000;
/** An office may register in one morning; a flood of accounts would fill the disk. */
const REGISTRATIONS = { perSecond: 1 / 60, burst: 50 };

type Calls = "register" | "login" | "enter" | "refresh" | "logout";

export function entering(ports: AccountPorts, documents: Waiting): Operations<Calls> {
  const { accounts, clock, curves, metrics, random, tokens } = ports;
  const throttle = createThrottle(clock);
  const registrations = createAddressPace(clock, REGISTRATIONS);
  /** Stands for the hashes of an account that isn't there: nothing hashes to it that anybody knows. */
  const nobodys = { passphrase: random(32), recovery: random(32) };

  const result = async (origin: string, { user, entry, family }: Entry, refresh: string) => {
    const access = { user, device: idOf(fromBase64url(entry.device.key)), family: family.id };
    return { ...(await tokens.access(origin, access)), refresh };
  };

  /** What the store takes in, once the device has shown whose it is. @throws bad_signature, bad_data */
  const judged = async (
    { user, root }: Pick<Account, "user" | "root">,
    params: CallParams<"enter">,
    origin: string,
  ): Promise<{ entry: Entry; refresh: string }> => {
    const { device, sealing, at, proof } = params;
    const now = Math.floor(clock.now());
    if (Math.abs(now - at) > CLOCK_MS) {
      throw new MeshError(
        "bad_data",
        "The clocks of this machine and of the broker differ by more than ten minutes.",
        "Set this machine's clock.",
      );
    }
    const input = enterInput(origin, user, fromBase64url(sealing), at);
    await requireSignature(curves.verify(fromBase64url(device.key), input, fromBase64url(proof)), "device");
    await verifyCertificate(curves, user, fromBase64url(root), device);
    const { refresh, family } = newFamily(random, now);
    return { entry: { user, entry: params, at: now, family }, refresh };
  };

  const enter = async (
    account: Pick<Account, "user" | "root">,
    params: CallParams<"enter">,
    { origin }: Asking,
    onlyVouched: boolean,
  ): Promise<CallResult<"enter">> => {
    const { entry, refresh } = await judged(account, params, origin);
    const outcome = await accounts.enter(entry, { onlyVouched, most: MOST_DEVICES });
    if (outcome === "revoked") throw deviceRevoked();
    if (outcome === "unknown") throw notVouched();
    if (outcome === "full") {
      throw new MeshError("too_large", "The account has its most devices.", "Use one that is in already.");
    }
    // Its old tokens end, and with them what they wait for.
    documents.tell(account.user);
    return result(origin, entry, refresh);
  };

  return {
    async register(
      { login, loginKey, recoveryKey, root, proof, entry: params, ...boxes },
      { origin, address },
    ) {
      const waitMs = registrations.take(address);
      if (waitMs > 0) throw slowDown("Too many accounts are registered from one address.", waitMs);
      const key = fromBase64url(root);
      const input = registerInput(origin, { login, ...boxes });
      await requireSignature(curves.verify(key, input, fromBase64url(proof)), "root");
      const { entry, refresh } = await judged({ user: idOf(key), root }, params, origin);
      const hashes = {
        passphrase: loginHash(fromBase64url(loginKey)),
        recovery: loginHash(fromBase64url(recoveryKey)),
      };
      const account = { user: entry.user, root, login, hashes, seedNumber: 0, ...boxes };
      if (!(await accounts.register(account, entry))) {
        metrics.count("registrations", 1, "account_exists");
        throw new MeshError("account_exists", "There is such an account already.", "Run `claudemesh login`.");
      }
      metrics.count("registrations", 1, "registered");
      ports.log.info({ user: entry.user }, "an account was registered");
      return result(origin, entry, refresh);
    },

    async login({ login, key }, { origin, address }) {
      const attempt = throttle.begin([`login ${login}`, `address ${address}`]);
      if (attempt.waitMs > 0) {
        metrics.count("logins", 1, "slow_down");
        throw slowDown("Too many tries to log in.", attempt.waitMs);
      }
      const known = await accounts.loginHashes(login);
      const given = loginHash(fromBase64url(key));
      const { passphrase, recovery } = known ?? nobodys;
      // Both, always: how long it takes says nothing.
      const byPassphrase = equalBytes(given, passphrase);
      const byRecovery = equalBytes(given, recovery);
      if (!known || !(byPassphrase || byRecovery)) {
        metrics.count("logins", 1, "wrong_passphrase");
        throw new MeshError(
          "wrong_passphrase",
          "The e-mail address or the passphrase is wrong.",
          "Check both; with the recovery code: `claudemesh login --recover`.",
        );
      }
      if ("succeed" in attempt) attempt.succeed(`login ${login}`);
      const account = await accounts.account(known.user);
      if (!account) throw new Error("an account isn't removed");
      metrics.count("logins", 1, byPassphrase ? "passphrase" : "recovery");
      return {
        ticket: await tokens.ticket(origin, account.user),
        user: account.user,
        vault: byPassphrase ? account.vault : account.recovery,
        contents: account.contents,
      };
    },

    async enter(params, asking) {
      if (asking.token !== null) {
        const { user } = await tokens.readTicket(asking.origin, asking.token);
        const account = await accounts.account(user);
        if (!account) throw badToken();
        return enter(account, params, asking, false);
      }
      const [by] = params.device.via;
      if (!by) throw badToken();
      // Whose it is shows in the device that certified it; in several accounts it may be that its owner had before.
      for (const user of await accounts.usersOf(idOf(fromBase64url(by.key)))) {
        const account = await accounts.account(user);
        if (account && (await isOf(account, params))) return enter(account, params, asking, true);
      }
      throw notVouched();
    },

    async refresh({ refresh, proof }, { origin }) {
      const family = await accounts.family(familyOf(refresh));
      if (!family) throw loggedOut();
      const input = refreshInput(origin, refresh);
      await requireSignature(curves.verify(fromBase64url(family.key), input, fromBase64url(proof)), "device");
      if (family.isDeviceRevoked) throw deviceRevoked();
      const at = Math.floor(clock.now());
      const next = newRefresh(random, family.id);
      const outcome = await accounts.renew({
        family: family.id,
        shown: refreshHash(refresh),
        next: next.hash,
        at,
        expiresAt: at + TOKEN_TIMES.refreshMs,
      });
      metrics.count("refreshes", 1, outcome);
      const { user, device } = family;
      if (outcome === "reused") {
        ports.log.warn({ user, device }, "a refresh token came a second time; its device is logged out");
        documents.tell(user);
      }
      if (outcome !== "renewed") throw loggedOut();
      return {
        ...(await tokens.access(origin, { user, device, family: family.id })),
        refresh: next.refresh,
      };
    },

    async logout(_, asking) {
      const { user, family } = await sessionOf(ports, asking);
      await accounts.endFamily(family, Math.floor(clock.now()));
      documents.tell(user);
      return {};
    },
  };

  async function isOf({ user, root }: Account, { device }: CallParams<"enter">): Promise<boolean> {
    try {
      await verifyCertificate(curves, user, fromBase64url(root), device);
      return true;
    } catch {
      return false;
    }
  }
}

function notVouched(): MeshError {
  return new MeshError(
    "not_allowed",
    "No device of this account vouches for this one, or it has been here before.",
    "Run `claudemesh login`.",
  );
}
