import { expect, test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("an idle session wakes for a message, and hears whom it is from", async () => {
  const { alice, model, session } = await createClaudeWorld();
  await session();
  const { id } = await alice.ok("send", "bob/payments", "the build is red");
  const { messages } = await model.hears("the build is red");
  const heard = messages.at(-1)?.text ?? "";
  expect(heard).toContain("alice");
  // Enough to answer it by.
  expect(heard).toContain(id.slice(-8));
  expect(
    (await alice.ok("message", "status", id)).receipts.map(({ by }: { by: string | null }) => by),
  ).toContain("bob");
});

test("a message to the person reaches their one session", async () => {
  const { alice, model, session } = await createClaudeWorld();
  await session();
  await alice.ok("send", "bob", "whoever is there");
  await model.hears("whoever is there");
});
