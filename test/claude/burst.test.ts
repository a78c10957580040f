import { expect, test } from "vitest";
import { eventually } from "#test/e2e/waiting.ts";
import { createClaudeWorld, timesHeard } from "./world.ts";

const COUNT = 100;

test("a hundred messages at once: each is heard of, none twice, and all are in the inbox", async () => {
  const { alice, bob: person, model, session } = await createClaudeWorld();
  await session();
  const words = Array.from({ length: COUNT }, (_, i) => `burst number ${i}.`);
  const client = await alice.client();
  await Promise.all(words.map((text) => client.daemon.message.send({ to: "bob/payments", text })));
  client.close();
  await eventually(async () => {
    const { messages } = await person.ok("inbox", "--limit", String(2 * COUNT));
    return messages.length === COUNT;
  }, "all in bob's inbox");
  for (const text of words) await model.hears(text, 60_000);
  expect(words.filter((text) => timesHeard(model, text) !== 1)).toEqual([]);
});
