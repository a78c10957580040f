// What whoever reaches the port may send to the calls about accounts.
import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "#adapters/clock.ts";
import { type AccountCall, accountCalls } from "#protocol/account/api.ts";
import { accountHolder, accountWorld, ORIGIN, registered } from "#test/account-world.ts";
import { listeningBroker } from "#test/listening-broker.ts";

const NAMES = Object.keys(accountCalls) as AccountCall[];
const head = { "x-claudemesh-origin": ORIGIN };
const LOGIN = { login: "A".repeat(22), key: "A".repeat(43) };

function bodyOf(chunks: Iterable<string>): ReadableStream<Uint8Array> {
  const rest = chunks[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { value, done } = rest.next();
      if (done) controller.close();
      else controller.enqueue(new TextEncoder().encode(value));
    },
  });
}

function* repeated(text: string, times: number) {
  for (let i = 0; i < times; i++) yield text;
}

test.each([
  ["nothing", ""],
  ["what isn't JSON", "{"],
  ["what isn't UTF-8", Uint8Array.of(0x22, 0xff, 0xfe, 0x22)],
  ["null", "null"],
  ["a number", "1"],
  ["a list", "[]"],
  ["an empty object", "{}"],
  ["a field that nobody knows", JSON.stringify({ ...LOGIN, more: 1 })],
  ["a prototype", `{"__proto__":{},"login":"${LOGIN.login}"}`],
  ["wrong types", JSON.stringify({ login: 1, key: [] })],
  ["an id with stray bits", JSON.stringify({ ...LOGIN, login: "B".repeat(22) })],
  ["a key with stray bits", JSON.stringify({ ...LOGIN, key: "B".repeat(43) })],
  ["deep JSON", "[".repeat(8000)],
  ["deep JSON that ends", `${'{"a":'.repeat(1000)}1${"}".repeat(1000)}`],
])("%s is refused by each call as malformed", async (_, body) => {
  const world = await accountWorld();
  for (const name of NAMES) {
    const answer = await world.fetch(`/v1/account/${name}`, { method: "POST", headers: head, body });
    const isRight = answer.status === 400 && answer.body.error?.code === "bad_data";
    // A call without parameters takes the empty object; then it asks for a token.
    const wantsToken = body === "{}" && answer.body.error?.code === "bad_token";
    expect([name, isRight || wantsToken]).toEqual([name, true]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  }
});

test("a body is read as far as its limit, whatever its head says", async () => {
  const world = await accountWorld();
  const limits = { register: 1024, rotate: 1024, keepDocument: 1024, leave: 80 } as Record<string, number>;
  for (const name of NAMES) {
    let given = 0;
    const endless = function* () {
      for (const text of repeated(" ".repeat(1024), 4096)) {
        given++;
        yield text;
      }
    };
    const init = { method: "POST", headers: head, body: bodyOf(endless()), duplex: "half" } as const;
    const { status, body } = await world.fetch(`/v1/account/${name}`, init);
    expect([name, status, body.error?.code]).toEqual([name, 413, "too_large"]);
    expect(given).toBeLessThanOrEqual((limits[name] ?? 16) + 2);
  }
});

test("a lie about the length ends the request, and the next connection is served", async () => {
  const broker = await listeningBroker();
  const socket = connect(broker.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const ended = once(socket, "close");
  const lie = "Transfer-Encoding: chunked\r\nContent-Length: 2";
  socket.write(
    `POST /v1/account/login HTTP/1.1\r\nHost: b\r\nx-claudemesh-origin: ${broker.url}\r\n${lie}\r\n\r\n`,
  );
  socket.resume();
  await ended;
  expect((await fetch(`${broker.url}/health`)).ok).toBe(true);
});

test("each call that wants a token refuses to go without", async () => {
  const world = await accountWorld();
  const { holder, laptop } = await registered(world);
  const now = world.time.clock.now();
  const params: Partial<Record<AccountCall, unknown>> = {
    enter: await laptop.entry(now),
    document: { after: 0, waitMs: 0 },
    keepDocument: { version: 1, box: "" },
    changePassphrase: { loginKey: holder.loginKey, vault: "", proof: "A".repeat(86) },
    changeRecovery: { recoveryKey: holder.loginKey, recovery: "", proof: "A".repeat(86) },
    rotate: await holder.rotation({}),
  };
  const guarded = NAMES.filter((name) => accountCalls[name].token !== "none");
  expect(guarded).toHaveLength(9);
  for (const name of guarded) {
    for (const token of [undefined, "", "x", "a.b.c"]) {
      const { status, body } = await world.ask(
        name,
        params[name] ?? {},
        token === undefined ? {} : { token },
      );
      expect([name, status, body.error?.code]).toEqual([name, 401, "bad_token"]);
    }
  }
});

test.each(["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])("%s asks nothing", async (method) => {
  const world = await accountWorld();
  const { status, body, headers } = await world.fetch("/v1/account/login", { method, headers: head });
  expect([status, body.error?.code, headers.get("allow")]).toEqual([405, "unknown_method", "POST"]);
});

test.each(["unknown", "__proto__", "toString", "constructor", "%2e%2e", "login%00"])(
  "there is no call %s",
  async (name) => {
    const world = await accountWorld();
    const { status, body } = await world.fetch(`/v1/account/${name}`, { method: "POST", headers: head });
    expect([status, body.error?.code]).toEqual([404, "not_found"]);
  },
);

test("a page's request is refused, and one for another broker", async () => {
  const world = await accountWorld();
  const ask = (headers: Record<string, string>) =>
    world.fetch("/v1/account/login", { method: "POST", headers, body: JSON.stringify(LOGIN) });
  const page = await ask({ ...head, origin: "http://page.test" });
  expect([page.status, page.body.error?.code]).toEqual([403, "not_allowed"]);
  const preflight = await world.fetch("/v1/account/login", {
    method: "OPTIONS",
    headers: { origin: "http://page.test" },
  });
  expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  for (const origin of ["", "http://elsewhere.test", `${ORIGIN}/`]) {
    const { status, body } = await ask({ "x-claudemesh-origin": origin });
    expect([status, body.error?.code]).toEqual([400, "bad_data"]);
  }
  expect((await ask({})).status).toBe(400);
});

test("who asks too much is told to slow down, whatever it asks; others aren't", async () => {
  const world = await accountWorld({ limits: { accountCallsPerSecond: 30, accountCallBurst: 5 } });
  const ask = (address: string) => world.ask("unknown", {}, { address });
  for (let i = 0; i < 5; i++) expect((await ask("192.0.2.1")).status).toBe(404);
  const { status, body, headers } = await ask("192.0.2.1");
  expect([status, body.error?.code, body.retryAfterMs, headers.get("retry-after")]).toEqual([
    429,
    "slow_down",
    34,
    "1",
  ]);
  expect((await ask("192.0.2.2")).status).toBe(404);
  await world.time.pass(34);
  expect((await ask("192.0.2.1")).status).toBe(404);
});

test("fifty accounts an address, then one a minute", async () => {
  const world = await accountWorld();
  const codes: string[] = [];
  const register = async (name: string, address?: string) => {
    const holder = await accountHolder(name);
    const entry = await (await holder.device("laptop")).entry(world.time.clock.now());
    return world.codeOf("register", await holder.registration(entry), address ? { address } : {});
  };
  for (let i = 0; i < 51; i++) codes.push(await register(`person ${i}`));
  expect(codes.slice(-2)).toEqual(["accepted", "slow_down"]);
  expect(await register("elsewhere", "198.51.100.1")).toBe("accepted");
  await world.time.pass(60_000);
  expect(await register("later")).toBe("accepted");
});

test("what goes wrong inside is told to the log, without what was asked", async () => {
  const secret = "what nobody may see";
  const world = await accountWorld({
    wrap: (accounts) => ({
      ...accounts,
      loginHashes: () => Promise.reject(new Error(`disk on fire, ${secret}`)),
    }),
  });
  const { status, text } = await world.ask("login", LOGIN);
  expect([status, JSON.parse(text).error.code]).toEqual([500, "unexpected"]);
  expect(text).not.toContain(secret);
  expect(world.logged.join()).not.toContain(LOGIN.login);
  expect(world.logged.join()).toContain("disk on fire");
});

test("nothing that is logged has a box, a token, a login or a key", async () => {
  const world = await accountWorld();
  const { holder, laptop, tokens, how } = await registered(world);
  await world.call("rotate", await holder.rotation({ seeds: [{ device: laptop.id, box: "c2VlZA" }] }), how);
  const thief = await world.call("refresh", await laptop.refresh(tokens.refresh));
  await world.call("refresh", await laptop.refresh(thief.refresh));
  await world.ask("refresh", await laptop.refresh(tokens.refresh));
  const all = world.logged.join("\n");
  expect(all).toContain(holder.user);
  for (const secret of [tokens.access, tokens.refresh, holder.login, holder.loginKey, "c2VlZA", "dmF1bHQ"]) {
    expect(all).not.toContain(secret);
  }
  expect(await world.metrics()).not.toContain(holder.user);
});

test("over a real port, who hangs up waits no longer", async () => {
  const broker = await listeningBroker({ accountCallsPerSecond: 1e6, accountCallBurst: 1e6 });
  const holder = await accountHolder("alice");
  const laptop = await holder.device("laptop");
  const ask = async (
    name: string,
    params: unknown,
    { token = "", signal = new AbortController().signal } = {},
  ) => {
    const response = await fetch(`${broker.url}/v1/account/${name}`, {
      method: "POST",
      body: JSON.stringify(params),
      headers: { "x-claudemesh-origin": broker.url, authorization: `Bearer ${token}` },
      signal,
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };
  const entry = await laptop.entry(Math.floor(systemClock.now()), broker.url);
  const { body: tokens } = await ask("register", await holder.registration(entry, broker.url));
  const wait = { after: 0, waitMs: 60_000 };
  // All seats of the account are taken by askers who leave; then there is room again.
  for (let round = 0; round < 3; round++) {
    const leaving = new AbortController();
    const stay = async (): Promise<unknown> => {
      const { status } = await ask("document", wait, { token: tokens.access, signal: leaving.signal });
      // Whoever looks whether all seats are taken had the last one just then.
      return status === 429 ? stay() : status;
    };
    const left = Array.from({ length: 8 }, () => stay().catch(() => "left"));
    while ((await ask("document", { ...wait, waitMs: 1 }, { token: tokens.access })).status !== 429);
    leaving.abort();
    expect(await Promise.all(left)).toContain("left");
    while ((await ask("document", { ...wait, waitMs: 1 }, { token: tokens.access })).status === 429);
  }
}, 20_000);
