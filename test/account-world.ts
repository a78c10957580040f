/** A home broker's accounts in virtual time, asked over its HTTP without sockets, and a person who has an account there. */

import { onTestFinished } from "vitest";
import { systemRandom } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import type { AccountStore } from "#broker/accounts/store.ts";
import { createPrometheus } from "#broker/adapters/prometheus.ts";
import { openSqliteStores } from "#broker/adapters/sqlite-stores.ts";
import { createBroker } from "#broker/broker.ts";
import { createBus } from "#broker/bus.ts";
import type { BrokerLimits } from "#broker/limits.ts";
import { type BrokerConfig, DEFAULT_RETENTION, DEFAULT_TIMES } from "#broker/ports.ts";
import {
  type AccountCall,
  type CallParams,
  type CallResult,
  enterInput,
  refreshInput,
  registerInput,
  rotateInput,
  vaultInput,
} from "#protocol/account/api.ts";
import { toBase64url } from "#protocol/bytes.ts";
import type { CertifiedDevice } from "#protocol/certificate.ts";
import { certificateInput, pairedInput } from "#protocol/certificate.ts";
import { idOf } from "#protocol/derive.ts";
import type { ErrorShape } from "#protocol/errors.ts";
import type { Timers } from "#protocol/ports.ts";
import { fixedBytes } from "./person.ts";
import { createVirtualTime, settle } from "./virtual-time.ts";

export const ORIGIN = "http://broker.test";
export const OTHER_ORIGIN = "http://other.test";

/** In its own words: what came back, whatever it was. */
export type Answer = {
  status: number;
  headers: Headers;
  text: string;
  body: { error?: ErrorShape; retryAfterMs?: number };
};

export type Ask = { token?: string; address?: string; origin?: string; signal?: AbortSignal };

export type AccountWorld = Awaited<ReturnType<typeof accountWorld>>;

export async function accountWorld({
  path = ":memory:",
  limits = {},
  config = {},
  wrap = (accounts) => accounts,
}: {
  path?: string;
  limits?: Partial<BrokerLimits>;
  config?: Partial<BrokerConfig>;
  wrap?: (accounts: AccountStore) => AccountStore;
} = {}) {
  const time = createVirtualTime();
  const stores = openSqliteStores(path);
  const accounts = wrap(stores.accounts);
  const logged: string[] = [];
  /** How long the timers that run were set for. */
  const pending = new Map<symbol, number>();
  const timers: Timers = {
    ...time.timers,
    after(ms, run) {
      const timer = Symbol();
      pending.set(timer, ms);
      const end = () => void pending.delete(timer);
      const cancel = time.timers.after(ms, () => {
        end();
        run();
      });
      return () => {
        end();
        cancel();
      };
    },
  };
  const say = (fields: Record<string, unknown>, message: string) =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const broker = createBroker(
    {
      clock: time.clock,
      timers,
      random: systemRandom,
      curves: nodeCurves,
      store: stores.store,
      accounts,
      bus: createBus(),
      log: { debug: say, info: say, warn: say, error: say },
      metrics: createPrometheus(),
      fatal(error) {
        throw error;
      },
    },
    {
      ...DEFAULT_TIMES,
      origins: new Set([ORIGIN, OTHER_ORIGIN]),
      retention: DEFAULT_RETENTION,
      // Nobody is connected; months pass sooner without it.
      heartbeatMs: 86_400_000,
      metrics: { local: true, token: null },
      limits: { accountCallsPerSecond: 10_000, accountCallBurst: 10_000, ...limits },
      ...config,
    },
  );
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= broker.stop();
    return stopped;
  };
  onTestFinished(stop);

  const fetch = async (route: string, init: RequestInit = {}, address = "192.0.2.1"): Promise<Answer> => {
    const response = await broker.http.fetch(new Request(`http://broker${route}`, init), {
      isLocal: true,
      address,
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} };
  };

  const ask = (name: string, params: unknown, { token, address, origin = ORIGIN, signal }: Ask = {}) =>
    fetch(
      `/v1/account/${name}`,
      {
        method: "POST",
        body: JSON.stringify(params),
        headers: {
          "x-claudemesh-origin": origin,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(signal && { signal }),
      },
      address,
    );

  return {
    time,
    broker,
    accounts,
    logged,
    stop,
    fetch,
    ask,
    /** The answer of a call that goes well. */
    async call<N extends AccountCall>(name: N, params: CallParams<N>, how?: Ask): Promise<CallResult<N>> {
      const { status, text } = await ask(name, params, how);
      if (status !== 200) throw new Error(`${name} was refused: ${text}`);
      return JSON.parse(text);
    },
    /** The code by which a call is refused; "accepted" when it isn't. */
    async codeOf<N extends AccountCall>(name: N, params: CallParams<N>, how?: Ask): Promise<string> {
      return (await ask(name, params, how)).body.error?.code ?? "accepted";
    },
    /** Resolves once so many calls wait for `ms`. */
    async begun(ms: number, count = 1): Promise<void> {
      while ([...pending.values()].filter((one) => one === ms).length < count) await settle();
    },
    metrics: async () => (await fetch("/metrics")).text,
  };
}

/** Somebody with a root, whose keys follow from the name. */
export async function accountHolder(name: string) {
  const rootSeed = fixedBytes(`${name}'s root`);
  const root = await nodeCurves.signingPublicKey(rootSeed);
  const user = idOf(root);
  const signed = async (input: Uint8Array, seed = rootSeed) =>
    toBase64url(await nodeCurves.sign(seed, input));
  const key = (what: string) => toBase64url(fixedBytes(`${name}'s ${what}`));

  return {
    user,
    root: toBase64url(root),
    rootSeed,
    login: idOf(fixedBytes(`${name}'s e-mail`)),
    loginKey: key("passphrase"),
    recoveryKey: key("recovery code"),

    /** A device that the root certifies, or one of the same person's. */
    async device(what: string, by?: { seed: Uint8Array; device: CertifiedDevice }) {
      const seed = fixedBytes(`${name}'s ${what}`);
      const publicKey = await nodeCurves.signingPublicKey(seed);
      const certificate = by
        ? await signed(pairedInput(user, publicKey), by.seed)
        : await signed(certificateInput(user, publicKey));
      const via = by ? [{ key: by.device.key, certificate: by.device.certificate }, ...by.device.via] : [];
      const device: CertifiedDevice = { key: toBase64url(publicKey), certificate, via };
      const sealing = await nodeCurves.sealingPublicKey(fixedBytes(`${name}'s ${what}, sealing`));
      return {
        id: idOf(publicKey),
        seed,
        device,
        async entry(at: number, origin = ORIGIN): Promise<CallParams<"enter">> {
          const proof = await signed(enterInput(origin, user, sealing, at), seed);
          return { device, sealing: toBase64url(sealing), at, proof };
        },
        async refresh(refresh: string, origin = ORIGIN): Promise<CallParams<"refresh">> {
          return { refresh, proof: await signed(refreshInput(origin, refresh), seed) };
        },
      };
    },

    async registration(entry: CallParams<"enter">, origin = ORIGIN): Promise<CallParams<"register">> {
      const boxes = { vault: "dmF1bHQ", recovery: "cmVjb3Zlcnk", contents: "Y29udGVudHM" };
      const proof = await signed(registerInput(origin, { login: this.login, ...boxes }));
      const { login, loginKey, recoveryKey } = this;
      return { login, loginKey, recoveryKey, root: this.root, ...boxes, proof, entry };
    },

    async change(kind: "passphrase" | "recovery", loginKey: string, box: string) {
      return signed(vaultInput(ORIGIN, user, { kind, loginKey, box }));
    },

    async rotation(change: Partial<Omit<CallParams<"rotate">, "proof">>): Promise<CallParams<"rotate">> {
      const document = { version: 1, box: "ZG9jMg" };
      const whole = { number: 1, contents: "bmV3", document, seeds: [], revoke: [], ...change };
      return { ...whole, proof: await signed(rotateInput(ORIGIN, user, whole)) };
    },
  };
}

export type AccountHolder = Awaited<ReturnType<typeof accountHolder>>;
export type AccountHolderDevice = Awaited<ReturnType<AccountHolder["device"]>>;

/** A person who has just registered, with the tokens of her first device. */
export async function registered(world: AccountWorld, name = "alice") {
  const holder = await accountHolder(name);
  const laptop = await holder.device("laptop");
  const tokens = await world.call(
    "register",
    await holder.registration(await laptop.entry(world.time.clock.now())),
  );
  return { holder, laptop, tokens, how: { token: tokens.access } };
}

/** Logs in by the passphrase, and lets the device come in. */
export async function loggedIn(world: AccountWorld, holder: AccountHolder, device: AccountHolderDevice) {
  const { ticket } = await world.call("login", { login: holder.login, key: holder.loginKey });
  return world.call("enter", await device.entry(world.time.clock.now()), { token: ticket });
}
