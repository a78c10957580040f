// Sessions that don't take every message: the sender hears why.
import { expect, test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("a session that bypasses permissions doesn't get it: it is held, and the sender knows", async () => {
  const { alice, model, session, reaches } = await createClaudeWorld();
  const bob = await session({ args: ["--dangerously-skip-permissions"] });
  const { id } = await alice.ok("send", "bob/payments", "delete the branch");
  await reaches(id, "held");
  await bob.turn("anything new?");
  expect(model.heard("delete the branch")).toBe(false);
});

test.each(["refuse", "hold"])("a session whose person has set crossSessionInbound to %s", async (setting) => {
  const { alice, claude, model, session, reaches } = await createClaudeWorld();
  claude.settings({ crossSessionInbound: setting });
  const bob = await session();
  const { id } = await alice.ok("send", "bob/payments", "are you there?");
  const { detail } = await reaches(id, setting === "refuse" ? "refused" : "held");
  expect(detail).not.toBeNull();
  await bob.turn("anything new?");
  expect(model.heard("are you there?")).toBe(false);
});
