import { expect, test } from "vitest";
import { fixedRandom } from "#test/person.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { BROKER_LIMITS, type BrokerLimits } from "../limits.ts";
import { createAdmission } from "./admission.ts";
import { retryAfter } from "./busy.ts";

/** Hellos that take `judgeMs` each; `arrive` is one device, that comes back when it is told to, until it is in. */
function crowd(judgeMs: number, changes: Partial<BrokerLimits> = {}) {
  const time = createVirtualTime();
  const { clock, timers } = time;
  const limits = { ...BROKER_LIMITS, ...changes };
  const admission = createAdmission({ clock, timers, random: fixedRandom("admission") }, limits);
  const began = clock.now();
  /** When each was let in, in ms since the beginning. */
  const admittedAt: number[] = [];
  const told: number[] = [];
  let judging = 0;
  let most = 0;

  const judge = () =>
    new Promise<void>((resolve) => {
      most = Math.max(most, ++judging);
      timers.after(judgeMs, () => {
        judging--;
        resolve();
      });
    });

  const arrive = (): void => {
    admission
      .admit(judge)
      .then(() => admittedAt.push(clock.now() - began))
      .catch((error) => {
        const { retryAfterMs = Number.NaN } = retryAfter(error);
        told.push(retryAfterMs);
        timers.after(retryAfterMs, arrive);
      });
  };
  return { ...time, limits, admission, arrive, admittedAt, told, most: () => most };
}

const among = (times: readonly number[], from: number, to: number) =>
  times.filter((at) => at >= from && at < to).length;

test("5,000 devices that come back at once are all in, at the pace that was set, and never too many together", async () => {
  const { limits, arrive, admittedAt, most, pass } = crowd(5);
  for (let i = 0; i < 5000; i++) arrive();
  await pass(15_000);
  expect(admittedAt).toHaveLength(5000);
  expect(most()).toBeLessThanOrEqual(limits.hellosAtOnce);
  for (let second = 0; second < 15_000; second += 1000) {
    const burst = limits.hellosPerSecond + limits.hellosAtOnce;
    expect(among(admittedAt, second, second + 1000)).toBeLessThanOrEqual(burst);
  }
});

test("who is sent away is told a time of their own: nearly all get in at their second try", async () => {
  const { arrive, told, admittedAt, pass } = crowd(5);
  for (let i = 0; i < 5000; i++) arrive();
  await pass(0);
  const first = told.length;
  expect(first).toBe(5000 - BROKER_LIMITS.waitingHellos - BROKER_LIMITS.hellosAtOnce);
  // But for those who came first of all, and are told the shortest time there is.
  for (let at = 250; at < 6000; at += 250) expect(among(told, at, at + 250)).toBeLessThan(250 * 1.25);
  await pass(30_000);
  expect(admittedAt).toHaveLength(5000);
  expect(told.length - first).toBeLessThan(first * 0.1);
});

test("the times follow from how fast hellos are judged in fact", async () => {
  const slow = crowd(100, { hellosAtOnce: 2 });
  for (let i = 0; i < 300; i++) slow.arrive();
  await slow.pass(10_000);
  slow.told.length = 0;
  for (let i = 0; i < 500; i++) slow.arrive();
  await slow.pass(0);
  // 20 a second are judged here, not the 1,000 that were allowed.
  expect(Math.max(...slow.told)).toBeGreaterThan(10_000);
  await slow.pass(120_000);
  expect(slow.admittedAt).toHaveLength(800);
});

test("nobody is sent away for longer than the longest back-off, however many come", async () => {
  const { limits, admission } = crowd(5);
  const told = Array.from({ length: 100_000 }, admission.backOff);
  expect(Math.max(...told)).toBeLessThanOrEqual(limits.longestBackOffMs * 1.2);
  const last = told.slice(-1000);
  expect(Math.min(...last)).toBeGreaterThan(limits.longestBackOffMs / 3);
  expect(Math.max(...last) - Math.min(...last)).toBeGreaterThan(limits.longestBackOffMs / 3);
});

test("a hello that is refused gives its place to the next", async () => {
  const { admission, pass } = crowd(5, { hellosAtOnce: 1 });
  const refused = expect(admission.admit(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  const next = admission.admit(async () => {});
  await pass(10);
  await Promise.all([refused, next]);
});
