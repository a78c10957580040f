import { test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("a session that nobody has typed in yet hears a message", async () => {
  const { alice, claude, model, online } = await createClaudeWorld();
  await claude.start();
  await online("bob/payments");
  await alice.ok("send", "bob/payments", "before your first word");
  await model.hears("before your first word");
});

test("what was sent while nobody was there is heard once the session is", async () => {
  const { alice, claude, model, session, online } = await createClaudeWorld();
  const first = await claude.start();
  await online("bob/payments");
  await first.exit();
  await alice.ok("send", "bob/payments", "for when you are back", "--wait", "delivered");
  await session();
  await model.hears("for when you are back");
});
