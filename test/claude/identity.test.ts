// Whom a session is known as.
import { expect, test } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { eventually } from "#test/e2e/waiting.ts";
import { createClaudeWorld } from "./world.ts";

test("two sessions in one folder have two addresses, and each hears its own", async () => {
  const { alice, claude, model, session, online } = await createClaudeWorld();
  const first = await session();
  const second = await claude.start();
  await online("bob/payments-2");
  await second.turn("good evening");
  await alice.ok("send", "bob/payments", "for the first");
  await alice.ok("send", "bob/payments-2", "for the second");
  const [one, two] = [await model.hears("for the first"), await model.hears("for the second")];
  expect(one.text).toContain("good morning");
  expect(two.text).toContain("good evening");
  await first.idle();
});

test("after /clear the address stays, and what the model's Bash says comes from it", async () => {
  const { alice, model, session } = await createClaudeWorld();
  const bob = await session();
  const before = bob.file()?.sessionId;
  await bob.terminal.type("/clear");
  await bob.terminal.press("Enter");
  await eventually(async () => bob.file()?.sessionId !== before, "another session id");
  await alice.ok("send", "bob/payments", "still there?");
  await model.hears("still there?");
  await bob.turn(`[[bash: ${launcherPath} send alice 'yes, I am']]`);
  const answer = await eventually(
    async () =>
      (await alice.ok("inbox")).messages.find(({ text }: { text: string }) => text === "yes, I am") ?? null,
    "bob's answer",
  );
  expect(answer.from.address).toBe("bob/payments");
});

test("with `--resume` the client gets its address back, though another session had a look at the folder", async () => {
  const { alice, claude, model, session, online } = await createClaudeWorld();
  const bob = await session();
  const id = bob.file()?.sessionId ?? "";
  const other = await claude.start();
  await online("bob/payments-2");
  await bob.exit();
  await other.exit();
  await claude.start({ args: ["--resume", id] });
  await online("bob/payments");
  await alice.ok("send", "bob/payments", "welcome back");
  expect((await model.hears("welcome back")).text).toContain("good morning");
});
