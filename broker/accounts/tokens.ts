/**
 * JWTs that say who asks: a ticket opens the vault's door, an access token is a device's. They are signed by a key of this
 * broker's that another follows after 30 days, and name the address of the broker that they were asked at.
 */
import { importJWK, type JWK, jwtVerify, SignJWT } from "jose";
import { toBase64url } from "#protocol/bytes.ts";
import { idOf } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Clock, Curves, Random } from "#protocol/ports.ts";
import type { AccountStore } from "./store.ts";

const DAY_MS = 86_400_000;
export const TOKEN_TIMES = {
  ticketMs: 5 * 60_000,
  accessMs: 10 * 60_000,
  /** From the last refresh. */
  refreshMs: 90 * DAY_MS,
  /** How long a key signs. Afterwards it verifies until the last that it signed has expired. */
  signingMs: 30 * DAY_MS,
};

const ALGORITHM = "EdDSA";

/** A device's access: its account, itself, and the family of tokens that it belongs to. */
export type Access = { user: string; device: string; family: string };

export type Tokens = {
  ticket(origin: string, user: string): Promise<string>;
  access(origin: string, access: Access): Promise<{ access: string; expiresAt: number }>;
  /** @throws MeshError bad_token */
  readTicket(origin: string, token: string): Promise<{ user: string }>;
  /** @throws MeshError bad_token */
  readAccess(origin: string, token: string): Promise<Access>;
  /** Public keys of those that may still have signed something that holds. */
  publicKeys(): Promise<JWK[]>;
};

type Ports = { clock: Clock; random: Random; curves: Curves; accounts: AccountStore };

type Key = { id: string; createdAt: number; jwk: JWK; publicJwk: JWK };

export function createTokens({ clock, random, curves, accounts }: Ports): Tokens {
  let loaded: Promise<Key[]> | null = null;

  const keyOf = async ({ id, seed, createdAt }: { id: string; seed: Uint8Array; createdAt: number }) => {
    const x = toBase64url(await curves.signingPublicKey(seed));
    const publicJwk = { kty: "OKP", crv: "Ed25519", x, kid: id, alg: ALGORITHM, use: "sig" };
    return { id, createdAt, publicJwk, jwk: { ...publicJwk, d: toBase64url(seed) } };
  };

  const load = async (): Promise<Key[]> => Promise.all((await accounts.signingKeys()).map(keyOf));

  const add = async (keys: Key[], now: number): Promise<Key[]> => {
    const seed = random(32);
    const key = { id: idOf(await curves.signingPublicKey(seed)), seed, createdAt: Math.floor(now) };
    await accounts.addSigningKey(key);
    return [...keys, await keyOf(key)];
  };

  /** Those that may sign or verify now, oldest first; the last one signs. */
  const keysNow = async (): Promise<Key[]> => {
    const now = clock.now();
    const before = loaded ?? load();
    // One after the other: two that find the newest too old mustn't both make another.
    loaded = before.then((keys) => {
      const newest = keys.at(-1);
      return newest && now - newest.createdAt < TOKEN_TIMES.signingMs ? keys : add(keys, now);
    });
    loaded.catch(() => {
      loaded = null;
    });
    const keys = await loaded;
    return keys.filter((_, i) => {
      const retiredAt = keys[i + 1]?.createdAt ?? now;
      return now < retiredAt + TOKEN_TIMES.accessMs;
    });
  };

  const sign = async (origin: string, user: string, ms: number, claims: Record<string, string>) => {
    const key = (await keysNow()).at(-1);
    if (!key) throw new Error("there is always a key that signs");
    const now = Math.floor(clock.now() / 1000);
    const expires = now + ms / 1000;
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", kid: key.id })
      .setIssuer(origin)
      .setAudience(origin)
      .setSubject(user)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(await importJWK(key.jwk, ALGORITHM));
    return { token, expiresAt: expires * 1000 };
  };

  const read = async (origin: string, token: string, use: string): Promise<Record<string, unknown>> => {
    const keys = await keysNow();
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const key = keys.find(({ id }) => id === kid);
        if (!key) throw badToken();
        return importJWK(key.publicJwk, ALGORITHM);
      },
      {
        algorithms: [ALGORITHM],
        typ: "JWT",
        issuer: origin,
        audience: origin,
        currentDate: new Date(clock.now()),
        requiredClaims: ["sub", "exp", "iat"],
      },
    ).catch(() => {
      throw badToken();
    });
    if (payload.use !== use) throw badToken();
    return payload;
  };

  return {
    async ticket(origin, user) {
      return (await sign(origin, user, TOKEN_TIMES.ticketMs, { use: "ticket" })).token;
    },
    async access(origin, { user, device, family }) {
      const claims = { use: "access", dev: device, sid: family };
      const { token, expiresAt } = await sign(origin, user, TOKEN_TIMES.accessMs, claims);
      return { access: token, expiresAt };
    },
    async readTicket(origin, token) {
      const { sub } = await read(origin, token, "ticket");
      return { user: String(sub) };
    },
    async readAccess(origin, token) {
      const { sub, dev, sid } = await read(origin, token, "access");
      return { user: String(sub), device: String(dev), family: String(sid) };
    },
    publicKeys: async () => (await keysNow()).map(({ publicJwk }) => publicJwk),
  };
}

export function badToken(): MeshError {
  return new MeshError("bad_token", "The token doesn't hold here, or not any more.", "Get another one.");
}
