// What a client's transcript says of our messages, in the entries that Claude Code 2.1.329 writes.
import { expect, test } from "vitest";
import { createTranscript, type Told } from "./transcript.ts";

const POSTED = `<cross-session-message from="claudemesh" from-name="alice" verified="no">\nhello\n\nReply: claudemesh send alice "…" --reply-to 0000000a\n</cross-session-message>`;
const enqueued = { type: "queue-operation", operation: "enqueue", content: POSTED };
const inTurn = {
  type: "user",
  isMeta: true,
  message: { role: "user", content: `Another Claude session sent a message:\n${POSTED}\n\nThis came from…` },
  permissionMode: "default",
};
const whileBusy = { type: "attachment", attachment: { type: "queued_command", prompt: POSTED } };
const byHook = { type: "attachment", attachment: { type: "hook_additional_context", content: [POSTED] } };
const answered = {
  type: "assistant",
  message: {
    role: "assistant",
    model: "claude-opus-5-5",
    content: [{ type: "text", text: "ok" }],
    usage: {
      input_tokens: 10,
      cache_creation_input_tokens: 5,
      cache_read_input_tokens: 85,
      output_tokens: 7,
    },
  },
};

function tellingOf(...entries: readonly unknown[]): Told[] {
  const told: Told[] = [];
  const take = createTranscript((one) => told.push(one));
  for (const entry of entries) take(typeof entry === "string" ? entry : JSON.stringify(entry));
  return told;
}

const seenIn = (...entries: readonly unknown[]) => tellingOf(...entries).flatMap(({ seen }) => seen ?? []);

test("a message is seen once the model has answered the turn that it came in, not before", () => {
  expect(seenIn(enqueued, inTurn)).toEqual([]);
  expect(seenIn(enqueued, inTurn, answered)).toEqual(["0000000a"]);
  expect(seenIn(enqueued, whileBusy, answered)).toEqual(["0000000a"]);
  expect(seenIn(byHook, answered)).toEqual(["0000000a"]);
  expect(seenIn(enqueued, answered)).toEqual([]);
});

test("an answer is told of once, and one that failed or is a sub-agent's is none", () => {
  expect(seenIn(inTurn, answered, answered)).toEqual(["0000000a"]);
  expect(seenIn(inTurn, { ...answered, isApiErrorMessage: true })).toEqual([]);
  expect(seenIn(inTurn, { ...answered, isSidechain: true })).toEqual([]);
});

test("what the client has taken into its queue is told at once", () => {
  expect(tellingOf(enqueued)).toEqual([{ taken: ["0000000a"] }]);
});

test("mode, model and how full the context is are told; what isn't known is passed over", () => {
  expect(
    tellingOf(
      { type: "permission-mode", permissionMode: "bypassPermissions" },
      answered,
      '{"type":"assistant"',
      "",
      {
        type: "of-a-later-version",
      },
    ),
  ).toEqual([{ permissionMode: "bypassPermissions" }, { model: "claude-opus-5-5", contextTokens: 100 }]);
});

test("what its person types is told with its time, as a first prompt and while it is at work; peers' words aren't", () => {
  const timestamp = "2026-03-01T10:00:00.000Z";
  const typed = { type: "user", timestamp, origin: { kind: "human" }, message: { content: "go on" } };
  const queued = {
    type: "attachment",
    timestamp,
    attachment: { type: "queued_command", prompt: "and stop", origin: { kind: "human" } },
  };
  const typedAt = Date.parse(timestamp);
  expect(tellingOf(typed, queued)).toEqual([{ typedAt }, { typedAt }]);
  expect(tellingOf({ ...typed, origin: { kind: "peer" } }, { ...typed, timestamp: "?" })).toEqual([]);
});
