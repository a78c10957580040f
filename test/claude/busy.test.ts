import { expect, test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("a busy session hears a message between two tool calls", async () => {
  const { alice, model, session } = await createClaudeWorld();
  const bob = await session();
  await bob.busy(5);
  await alice.ok("send", "bob/payments", "stop, the build is red", "--wait", "delivered");
  expect(model.heard("stop, the build is red")).toBe(false);
  const { messages } = await model.hears("stop, the build is red");
  expect(messages.slice(-2).map(({ toolResult }) => toolResult)).toContain(true);
});
