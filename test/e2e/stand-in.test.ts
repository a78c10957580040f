import { join } from "node:path";
import { test } from "vitest";
import { startStandIn } from "#test/stand-in-client.ts";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

test("a message reaches the model of a session beside our adapter, idle and working", async () => {
  const { world, alice, bob } = await createPair();
  const [folder, config] = [join(world.folder, "payments"), join(world.folder, "config")];
  const client = await startStandIn({ folder, config, env: bob.env });
  await eventually(
    async () => JSON.stringify(await alice.ok("peers")).includes('"bob/payments"'),
    "the session at alice's",
  );
  await alice.ok("send", "bob/payments", "the build is red");
  await client.hears("the build is red");
  const finish = await client.toolCall();
  const { id } = await alice.ok("send", "bob/payments", "stop");
  await eventually(async () => {
    const { receipts } = await alice.ok("message", "status", id);
    return receipts.some(({ state }: { state: string }) => state === "handed over");
  }, "it to be handed over");
  await finish();
  await client.hears("stop");
});
