import { test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("a session of `claude -p` hears a message", async () => {
  const { alice, claude, model, online } = await createClaudeWorld();
  const bob = await claude.print();
  await online("bob/payments");
  await bob.turn("good morning");
  await alice.ok("send", "bob/payments", "to a program");
  await model.hears("to a program");
});
