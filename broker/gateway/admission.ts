/**
 * Lets hellos in at a bounded pace. After a restart everybody comes back at once: each hello costs a signature and
 * maybe a chain to read, and commits have to go on meanwhile. Who can't be judged soon is told when to come back: each
 * gets a time of their own, one after the other at the pace at which hellos are in fact judged here.
 */
import type { Clock, Random, Timers } from "#protocol/ports.ts";
import type { BrokerLimits } from "../limits.ts";
import { busy } from "./busy.ts";

export type Admission = {
  /** Runs `judge` when its turn comes. @throws MeshError busy, at once, when that isn't soon */
  admit(judge: () => Promise<void>): Promise<void>;
  /** After how many ms somebody who is sent away now should come back; the next one is told another time. */
  backOff(): number;
};

type Ports = { clock: Clock; timers: Timers; random: Random };

/** Nobody is sent away for less: coming back costs more than waiting. */
const SHORTEST_BACK_OFF_MS = 200;
/** Share of a back-off that is drawn at random, so that those told in one moment don't come in one. */
const JITTER = 0.2;
/** Weight of the newest hello in the measured pace. */
const SMOOTHING = 0.05;

export function createAdmission({ clock, timers, random }: Ports, limits: BrokerLimits): Admission {
  const leastMs = 1000 / limits.hellosPerSecond;
  const queue: (() => void)[] = [];
  let judging = 0;
  /** When the next hello may be judged. */
  let nextAt = Number.NEGATIVE_INFINITY;
  /** What a hello takes while they stand in line, measured. */
  let eachMs = leastMs;
  let judgedAt = 0;
  /** The time up to which those sent away have been told to come back. */
  let promisedUntil = Number.NEGATIVE_INFINITY;
  let isTimed = false;

  const pump = () => {
    while (queue.length > 0 && judging < limits.hellosAtOnce) {
      const now = clock.now();
      if (now < nextAt) {
        if (isTimed) return;
        isTimed = true;
        timers.after(nextAt - now, () => {
          isTimed = false;
          pump();
        });
        return;
      }
      // Timers come late by a ms or so: what wasn't used of it is caught up, but no more than a burst of it.
      nextAt = Math.max(nextAt, now - limits.hellosAtOnce * leastMs) + leastMs;
      if (judging++ === 0) judgedAt = now;
      queue.shift()?.();
    }
  };

  const finish = () => {
    judging--;
    const now = clock.now();
    const took = queue.length > 0 ? now - judgedAt : leastMs;
    eachMs = Math.max(leastMs, eachMs + SMOOTHING * (took - eachMs));
    judgedAt = now;
    pump();
  };

  const share = () => {
    const [a = 0, b = 0] = random(2);
    return (a * 256 + b) / 65_536;
  };

  const backOff = () => {
    const now = clock.now();
    const longest = limits.longestBackOffMs;
    promisedUntil = Math.max(promisedUntil, now + queue.length * eachMs) + eachMs;
    const wait = promisedUntil - now;
    // Farther away than that nobody is sent: the time is drawn, and who comes too early is sent away once more.
    if (wait > longest) {
      promisedUntil = now + longest;
      return longest * (1 - share() / 2);
    }
    return Math.max(SHORTEST_BACK_OFF_MS, wait) * (1 + JITTER * share());
  };

  return {
    backOff,
    async admit(judge) {
      if (queue.length >= limits.waitingHellos) throw busy("Too many devices connect at once.", backOff());
      await new Promise<void>((resolve) => {
        queue.push(resolve);
        pump();
      });
      try {
        await judge();
      } finally {
        finish();
      }
    },
  };
}
