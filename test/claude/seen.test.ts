import { expect, test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("`seen` comes only after the request that has the text in it; `handed over` is not it", async () => {
  const { alice, model, session, receipts, reaches } = await createClaudeWorld();
  const bob = await session();
  await bob.busy(3);
  const { id } = await alice.ok("send", "bob/payments", "see me", "--wait", "delivered");
  await reaches(id, "handed over");
  const states = (await receipts(id)).map(({ state }) => state);
  // Asked first: the request may come between the two questions, but never after a receipt that tells of it.
  if (!model.heard("see me")) expect(states).not.toContain("seen");
  const { at } = await model.hears("see me");
  const seen = await reaches(id, "seen");
  expect(Date.parse(seen.at)).toBeGreaterThanOrEqual(Math.floor(performance.timeOrigin + at));
});

test("`answered`, once a reply refers to it", async () => {
  const { alice, bob: person, model, session, reaches } = await createClaudeWorld();
  const bob = await session();
  const { id } = await alice.ok("send", "bob/payments", "which branch?");
  await model.hears("which branch?");
  await person.okIn(bob.file()?.sessionId ?? "", "send", "alice", "main", "--reply-to", id);
  await reaches(id, "answered");
});
