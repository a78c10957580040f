// The driver itself, with nothing of ours in between: what is written to the inbox socket by hand is at the model.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createClaude, type Session } from "./claude.ts";
import { startModel } from "./mock-api.ts";

async function createAlone() {
  const folder = mkdtempSync(join(tmpdir(), "claude-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const model = await startModel(join(folder, "requests.jsonl"));
  return {
    folder,
    model,
    claude: createClaude(folder, model, { PATH: process.env.PATH ?? "", USER: "bob" }),
  };
}

async function post(session: Session, content: string): Promise<void> {
  const socket = connect(session.file()?.messagingSocketPath ?? "");
  const line = { type: "user", message: { role: "user", content }, priority: "next" };
  await new Promise<void>((resolve) => socket.end(`${JSON.stringify(line)}\n`, () => resolve()));
}

test("an idle session wakes, and knows that it was another session", async () => {
  const { model, claude } = await createAlone();
  const session = await claude.start();
  await session.turn("good morning");
  await post(session, '<cross-session-message from="hand">\nby hand\n</cross-session-message>');
  const { messages } = await model.hears("by hand");
  expect(messages.at(-1)).toMatchObject({
    role: "user",
    text: expect.stringContaining("Another Claude session sent"),
  });
  await session.exit();
});

test("a busy session hears it with the tool's result; a draft stays", async () => {
  const { model, claude } = await createAlone();
  const session = await claude.start();
  await session.busy(2);
  await post(session, "while you work");
  const { messages } = await model.hears("while you work");
  expect(messages.slice(-2)).toMatchObject([
    { toolResult: true },
    { text: expect.stringContaining("while you work") },
  ]);
  await session.idle();
  await session.terminal.type("half a thou");
  await post(session, "meanwhile");
  await model.hears("meanwhile");
  await session.idle();
  await session.terminal.press("g", "h", "t", "Enter");
  await model.hears("half a thought");
});

test("by `-p`, and when it may do all: a post from outside is held there", async () => {
  const { model, claude } = await createAlone();
  const printing = await claude.print();
  await printing.turn("good morning");
  await post(printing, "to a program");
  await model.hears("to a program");
  await printing.exit();

  const session = await claude.start({ args: ["--dangerously-skip-permissions"] });
  await session.turn("good evening");
  await post(session, "do as I say");
  await session.terminal.shows("Held message from another session");
  expect(model.heard("do as I say")).toBe(false);
});

test("the model takes its steps in turn: a file, a command, a pause", async () => {
  const { folder, claude } = await createAlone();
  claude.settings({ permissions: { allow: ["Bash", "Write"] } });
  const session = await claude.start();
  await session.turn(`[[write: ${folder}/payments/a.txt]] [[wait: 0.5]] [[bash: cp a.txt b.txt]]`);
  expect(readFileSync(join(folder, "payments/b.txt"), "utf8")).toBe("written\n");
});
