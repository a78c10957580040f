import { test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("what the person has half typed is still there when a message has come", async () => {
  const { alice, model, session } = await createClaudeWorld();
  const bob = await session();
  await bob.terminal.type("refactor the invoi");
  await alice.ok("send", "bob/payments", "a word from alice");
  await model.hears("a word from alice");
  await bob.idle();
  await bob.terminal.press("c", "e", "s", "Enter");
  await model.hears("refactor the invoices");
});
