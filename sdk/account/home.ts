/** The home broker, as this device asks it: each call typed, tokens fetched and renewed as they are needed. */
import {
  type AccountCall,
  accountCalls,
  type CallParams,
  type CallResult,
  enterInput,
  refreshInput,
} from "#protocol/account/api.ts";
import { deviceSealingSecret } from "#protocol/account/keys.ts";
import { fromBase64url, fromUtf8, toBase64url, utf8 } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { PeerPorts } from "../ports.ts";
import { refusalOf } from "../refusal.ts";
import type { Account } from "./account.ts";

/** The refresh token's place in the keychain. */
const REFRESH = "refresh";
/** A token is renewed when it has this long left. */
const EARLY_MS = 30_000;

type HomePorts = Pick<PeerPorts, "fetchJson" | "curves" | "clock" | "keychain">;

export type Entry = CallParams<"enter">;

/** Asks without being anybody yet, or with a ticket. @throws MeshError, the broker's or offline */
export async function askHome<N extends AccountCall>(
  { fetchJson }: Pick<PeerPorts, "fetchJson">,
  origin: string,
  name: N,
  params: CallParams<N>,
  token?: string,
  waitMs = 0,
): Promise<CallResult<N>> {
  const { status, body } = await fetchJson(`${origin}/v1/account/${name}`, {
    body: params,
    headers: { "x-claudemesh-origin": origin, ...(token ? { authorization: `Bearer ${token}` } : {}) },
    waitMs,
  });
  if (status !== 200) throw refusalOf(origin, status, body);
  const checked = accountCalls[name].result.safeParse(body);
  // The schema is that of this very call; the table's type can't say so.
  if (checked.success) return checked.data as CallResult<N>;
  throw new MeshError("version_skew", `${origin} answers in another form.`, "Update the older side.");
}

export type HomeLink = {
  /** As this account's device. @throws MeshError logged_out, device_revoked, offline, … */
  ask<N extends AccountCall>(name: N, params: CallParams<N>, waitMs?: number): Promise<CallResult<N>>;
  /** Comes in with a ticket, or by the certificate alone. */
  enter(entry: Entry, ticket?: string): Promise<void>;
  /** Gives up this device's tokens, there and here, whether or not the broker hears of it. */
  leave(): Promise<void>;
  /** Takes tokens that came with an answer. */
  take(tokens: CallResult<"refresh">): void;
};

export function createHomeLink(ports: HomePorts, account: Account, origin: string): HomeLink {
  const { keychain, clock, curves } = ports;
  let access: { token: string; until: number } | null = null;
  let renewal: Promise<string> | null = null;

  const take = ({ access: token, refresh, expiresAt }: CallResult<"refresh">): string => {
    requireSubject(token, account.user, origin);
    // Kept before it is used: a crash in between asks for another with the one before.
    keychain.set(REFRESH, utf8(refresh));
    access = { token, until: expiresAt };
    return token;
  };

  const renew = async (): Promise<string> => {
    const kept = keychain.get(REFRESH);
    if (!kept) throw loggedOut(origin);
    const refresh = fromUtf8(kept);
    const proof = toBase64url(await curves.sign(account.device.secret, refreshInput(origin, refresh)));
    return take(await askHome(ports, origin, "refresh", { refresh, proof }));
  };

  const tokenNow = (): Promise<string> => {
    if (access && access.until - EARLY_MS > clock.now()) return Promise.resolve(access.token);
    renewal ??= renew().finally(() => {
      renewal = null;
    });
    return renewal;
  };

  const link: HomeLink = {
    async ask(name, params, waitMs) {
      try {
        return await askHome(ports, origin, name, params, await tokenNow(), waitMs);
      } catch (error) {
        // Its clock isn't ours, or its signing key has gone: one more try with a new one.
        if (!(error instanceof MeshError) || error.code !== "bad_token") throw error;
        access = null;
        return askHome(ports, origin, name, params, await tokenNow(), waitMs);
      }
    },
    async enter(entry, ticket) {
      take(await askHome(ports, origin, "enter", entry, ticket));
    },
    async leave() {
      await link.ask("logout", {}).catch(() => {});
      access = null;
      keychain.remove(REFRESH);
    },
    take,
  };
  return link;
}

/** By which a device comes in at its home. */
export async function entryOf(ports: HomePorts, account: Account, origin: string): Promise<Entry> {
  const { device, user } = account;
  const sealing = await ports.curves.sealingPublicKey(deviceSealingSecret(device.secret));
  const at = Math.floor(ports.clock.now());
  const proof = await ports.curves.sign(device.secret, enterInput(origin, user, sealing, at));
  return {
    device: {
      key: toBase64url(device.key),
      certificate: toBase64url(device.certificate),
      via: [...device.via],
    },
    sealing: toBase64url(sealing),
    at,
    proof: toBase64url(proof),
  };
}

/** Who issues tokens could name anybody: the name has to be the hash of our own root. @throws MeshError bad_token */
export function requireSubject(token: string, user: string, origin: string): void {
  if (claims(token)?.sub === user) return;
  throw new MeshError(
    "bad_token",
    `${origin} handed out a token for somebody else.`,
    "Don't trust this broker.",
  );
}

function claims(token: string): { sub?: unknown } | null {
  try {
    const value: unknown = JSON.parse(fromUtf8(fromBase64url(token.split(".")[1] ?? "")));
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    return null;
  }
}

export function loggedOut(origin: string): MeshError {
  return new MeshError(
    "logged_out",
    `This machine isn't logged in at ${origin} any more.`,
    `claudemesh login --broker ${origin}`,
  );
}

export function notRegistered(): MeshError {
  return new MeshError(
    "not_registered",
    "This account lives on this machine alone.",
    "Register it: claudemesh login --broker URL --email YOU --register",
  );
}
