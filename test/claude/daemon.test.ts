import { test } from "vitest";
import { createClaudeWorld } from "./world.ts";

test("a session outlives its daemon: it is on the mesh again with the next one", async () => {
  const { alice, bob: person, model, session, online } = await createClaudeWorld();
  await session();
  await person.kill9();
  await alice.ok("send", "bob/payments", "into the dark");
  await model.hears("into the dark", 30_000);
  await online("bob/payments");
});

test("a restart, as an update makes it", async () => {
  const { alice, bob: person, model, session } = await createClaudeWorld();
  await session();
  await person.ok("down");
  await person.ok("up");
  await alice.ok("send", "bob/payments", "with the new daemon");
  await model.hears("with the new daemon", 30_000);
});
