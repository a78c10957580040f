/**
 * The curves for a process that has many signatures to look at: what is asked for at the same time is done in libuv's
 * threads, so that the event loop goes on and several cores help. What is asked for alone is done at once: the way to a
 * thread and back takes half as long as a signature.
 */
import { sign, verify } from "node:crypto";
import { promisify } from "node:util";
import type { Curves } from "#protocol/ports.ts";
import { nodeCurves, signingPublic, signingSecret } from "./curves.ts";

const signInThread = promisify(sign);
const verifyInThread = promisify(verify);

export const threadedCurves: Curves = {
  ...nodeCurves,
  sign: byCompany(nodeCurves.sign, async (seed, message) => {
    return new Uint8Array(await signInThread(null, message, signingSecret(seed)));
  }),
  verify: byCompany(nodeCurves.verify, async (publicKey, message, signature) => {
    return publicKey.length === 32 && verifyInThread(null, message, signingPublic(publicKey), signature);
  }),
};

/** Waits for what else is asked before promises have settled: one is done `alone`, several are done in `company`. */
function byCompany<A extends unknown[], T>(
  alone: (...asked: A) => Promise<T>,
  company: (...asked: A) => Promise<T>,
): (...asked: A) => Promise<T> {
  let waiting: ((isAlone: boolean) => void)[] = [];
  const begin = () => {
    const all = waiting;
    waiting = [];
    for (const one of all) one(all.length === 1);
  };
  return async (...asked) => {
    const isAlone = await new Promise<boolean>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) queueMicrotask(begin);
    });
    return isAlone ? alone(...asked) : company(...asked);
  };
}
