import { setTimeout as after } from "node:timers/promises";
import { test } from "vitest";
import { createClaudeWorld } from "./world.ts";

const RUNS = 20;
/** Seldom enough that no message waits for its turn: a session is written to in bursts no faster than its client takes. */
const APART_MS = 2600;

test("from `send` on one daemon to the request at the model, with the session idle", async () => {
  const { alice, model, session } = await createClaudeWorld();
  const bob = await session();
  const client = await alice.client();
  const took: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const sentAt = Date.now();
    const started = performance.now();
    await client.daemon.message.send({ to: "bob/payments", text: `run ${i}.` });
    took.push((await model.hears(`run ${i}.`)).at - started);
    await bob.idle(sentAt);
    await after(APART_MS);
  }
  client.close();
  took.sort((a, b) => a - b);
  const at = (share: number) => Math.round(took[Math.ceil(share * RUNS) - 1] ?? Number.NaN);
  console.log(
    `idle, ${RUNS} messages: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms (target: p50 ≤ 250 ms)`,
  );
}, 150_000);
