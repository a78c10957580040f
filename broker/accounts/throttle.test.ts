import { expect, test } from "vitest";
import { accountHolder, accountWorld, registered } from "#test/account-world.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { createAddressPace } from "../address-pace.ts";
import { createThrottle, LOGIN_THROTTLE } from "./throttle.ts";

const SECOND = 1000;
const MINUTE = 60_000;

function throttled(changes: Partial<typeof LOGIN_THROTTLE> = {}) {
  const time = createVirtualTime();
  const { begin } = createThrottle(time.clock, { ...LOGIN_THROTTLE, ...changes });
  return {
    time,
    begin,
    /** Fails so often, waiting as long as it has to; answers the wait before the last and after it. */
    fail(key: string, times: number) {
      for (let i = 0; i < times; i++) {
        const { waitMs } = begin([key]);
        if (waitMs === 0) continue;
        time.advance(waitMs);
        begin([key]);
      }
    },
  };
}

test("three failures cost nothing, then each costs twice as long, up to a quarter of an hour", () => {
  const { time, begin } = throttled();
  for (let i = 0; i < 4; i++) expect(begin(["a"]).waitMs).toBe(0);
  for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
    expect(begin(["a"]).waitMs).toBe(seconds * SECOND);
    time.advance(seconds * SECOND - 1);
    // Too early: not judged, and the wait is no longer for it.
    expect(begin(["a"]).waitMs).toBe(1);
    time.advance(1);
    expect(begin(["a"]).waitMs).toBe(0);
  }
});

test("an hour without a failure and all is forgotten", () => {
  const { time, begin, fail } = throttled();
  fail("a", 6);
  time.advance(59 * MINUTE);
  expect(begin(["a"]).waitMs).toBe(0);
  expect(begin(["a"]).waitMs).toBeGreaterThan(0);
  time.advance(60 * MINUTE);
  for (let i = 0; i < 4; i++) expect(begin(["a"]).waitMs).toBe(0);
});

test("many at once count as many: only the free ones are judged", () => {
  const { begin } = throttled();
  const waits = Array.from({ length: 100 }, () => begin(["a"]).waitMs);
  expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(4);
});

test("who is right is forgiven what failed on the account, not what failed at the address", () => {
  const { begin, fail } = throttled();
  fail("address", 3);
  for (let i = 0; i < 3; i++) begin(["login"]);
  const attempt = begin(["login", "address"]);
  if ("succeed" in attempt) attempt.succeed("login");
  for (let i = 0; i < 3; i++) expect(begin(["login"]).waitMs).toBe(0);
  expect(begin(["address"]).waitMs).toBe(0);
  expect(begin(["address"]).waitMs).toBe(SECOND);
});

test("of too many keys the one that failed longest ago goes", () => {
  const { begin } = throttled({ most: 2 });
  for (let i = 0; i < 4; i++) begin(["a"]);
  begin(["b"]);
  expect(begin(["a"]).waitMs).toBe(SECOND);
  begin(["c"]);
  expect(begin(["a"]).waitMs).toBe(0);
});

test("an address may ask so often, and after a rest again; others don't feel it", () => {
  const time = createVirtualTime();
  const pace = createAddressPace(time.clock, { perSecond: 10, burst: 3, most: 2 });
  expect([1, 2, 3, 4].map(() => pace.take("a"))).toEqual([0, 0, 0, 100]);
  expect(pace.take("b")).toBe(0);
  time.advance(100);
  expect([pace.take("a"), pace.take("a")]).toEqual([0, 100]);
});

test("a guesser is told to wait, whether there is such an account or not", async () => {
  const world = await accountWorld();
  const { holder } = await registered(world);
  const nobody = await accountHolder("nobody");
  const guess = (login: string, i: number) =>
    world.ask("login", { login, key: nobody.loginKey }, { address: `192.0.2.${i}` });
  const answers = async (login: string) => {
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await guess(login, login === holder.login ? i : 100 + i));
    return all.map(({ status, text, headers }) => [status, text, headers.get("retry-after")]);
  };
  const known = await answers(holder.login);
  expect(await answers(nobody.login)).toEqual(known);
  expect(known.map(([status]) => status)).toEqual([401, 401, 401, 401, 429]);
  expect(known.at(-1)).toEqual([
    429,
    '{"error":{"code":"slow_down","message":"Too many tries to log in.","hint":"Try again in 1 second."},"retryAfterMs":1000}',
    "1",
  ]);
  // Not even the right one is judged too early.
  const login = () => world.codeOf("login", { login: holder.login, key: holder.loginKey });
  expect(await login()).toBe("slow_down");
  await world.time.pass(SECOND);
  expect(await login()).toBe("accepted");
  expect(await world.metrics()).toContain('claudemesh_logins_total{outcome="slow_down"} 3');
});

test("who guesses at many accounts from one address is told to wait, too", async () => {
  const world = await accountWorld();
  const codes: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { login, loginKey } = await accountHolder(`person ${i}`);
    codes.push(await world.codeOf("login", { login, key: loginKey }));
  }
  expect(codes.slice(-2)).toEqual(["wrong_passphrase", "slow_down"]);
});
