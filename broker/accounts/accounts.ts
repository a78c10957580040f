/** Accounts at their home broker: one operation for each call of the table in protocol/account/api.ts. */
import type { AccountCall, AccountCalls, CallParams, CallResult } from "#protocol/account/api.ts";
import { busy } from "../gateway/busy.ts";
import type { CountingPorts } from "../ports.ts";
import type { Asking, Operations } from "./asking.ts";
import { entering } from "./entering.ts";
import { keeping } from "./keeping.ts";
import { createPairing } from "./pairing.ts";
import { createTokens, TOKEN_TIMES, type Tokens } from "./tokens.ts";
import { createWaiting } from "./waiting.ts";

/** Who waits for a newer document: a few devices of each person. */
const DOCUMENT_WAITING = { perKey: 8, all: 10_000 };
/** How long a family that was revoked is remembered. */
const REVOKED_MS = 90 * 86_400_000;
const RESTART_MS = 1000;

export type Accounts = {
  call<N extends AccountCall>(name: N, params: CallParams<N>, asking: Asking): Promise<CallResult<N>>;
  publicKeys: Tokens["publicKeys"];
  /** Takes away what is of no use any more. */
  clean(): Promise<void>;
  /** Who waits is answered as things are; resolves when all have been. */
  stop(): Promise<void>;
};

export function createAccounts(ports: CountingPorts): Accounts {
  const tokens = createTokens(ports);
  const documents = createWaiting(ports.timers, DOCUMENT_WAITING);
  const pairing = createPairing(ports.timers);
  const withTokens = { ...ports, tokens };
  const operations: Operations<keyof AccountCalls> = {
    ...entering(withTokens, documents),
    ...keeping(withTokens, documents),
    leave: pairing.leave,
    take: pairing.take,
  };
  const running = new Set<Promise<unknown>>();
  let stopped = false;

  return {
    async call(name, params, asking) {
      if (stopped) throw busy("The broker stops, or starts again.", RESTART_MS);
      const answer = operations[name](params, asking);
      running.add(answer);
      try {
        return await answer;
      } finally {
        running.delete(answer);
      }
    },
    publicKeys: tokens.publicKeys,
    clean() {
      const now = Math.floor(ports.clock.now());
      return ports.accounts.clean({
        now,
        revokedBefore: now - REVOKED_MS,
        retiredBefore: now - TOKEN_TIMES.accessMs,
      });
    },
    async stop() {
      stopped = true;
      documents.end();
      pairing.stop();
      await Promise.allSettled(running);
    },
  };
}
