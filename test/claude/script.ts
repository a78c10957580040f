/**
 * What the model does is written in the person's prompt, step after step:
 *
 *   [[bash: make test]]     calls Bash with that command
 *   [[write: a.txt]]        writes that file
 *   [[wait: 2]]             waits so many seconds before the next answer
 *
 * A tool's result brings the next step; after the last one a turn ends with a text.
 */
import { z } from "zod";

export type Message = { role: string; text: string; toolResult: boolean };
export type Block =
  | { type: "text"; text: string }
  | { type: "tool_use"; id: string; name: string; input: Record<string, string> };

const content = z.union([
  z.string().transform((text) => [{ type: "text", text }]),
  z.array(
    z
      .looseObject({ type: z.string(), text: z.string().catch(""), content: z.unknown().optional() })
      .transform((block) => ({
        type: block.type,
        text: block.text || (typeof block.content === "string" ? block.content : ""),
      })),
  ),
]);

const message = z.looseObject({ role: z.string(), content }).transform(
  ({ role, content: blocks }): Message => ({
    role,
    text: blocks.map(({ text }) => text).join("\n"),
    toolResult: blocks.some(({ type }) => type === "tool_result"),
  }),
);

export const requestBody = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  tools: z.array(z.unknown()).catch([]),
  messages: z.array(message),
});

const STEP = /\[\[(bash|write|wait): ([^\]]*)\]\]/g;

/** What to answer: the step that comes next, counted in results since the prompt that holds the steps. */
export function plan(
  { messages, tools }: z.infer<typeof requestBody>,
  count: number,
): { delayMs: number; block: Block } {
  const from = messages.findLastIndex(({ role, toolResult }) => role === "user" && !toolResult);
  const steps = Array.from((messages[from]?.text ?? "").matchAll(STEP), ([, what = "", value = ""]) => ({
    what,
    value,
  }));
  const done = messages.slice(from).filter(({ toolResult }) => toolResult).length;
  // A wait belongs to the answer that follows it.
  let delayMs = 0;
  let tool = 0;
  for (const { what, value } of tools.length > 0 ? steps : []) {
    if (what === "wait") delayMs = tool === done ? Number(value) * 1000 : 0;
    else if (tool++ === done) return { delayMs, block: call(what, value, count) };
  }
  return { delayMs, block: { type: "text", text: `answer ${count}` } };
}

function call(what: string, value: string, count: number): Block {
  const id = `toolu_${count}`;
  return what === "bash"
    ? { type: "tool_use", id, name: "Bash", input: { command: value, description: "a step" } }
    : { type: "tool_use", id, name: "Write", input: { file_path: value, content: "written\n" } };
}
