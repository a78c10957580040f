/** A session's transcript file, as the client writes it: one JSON line an entry, each with its parent. */
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

export type Transcript = {
  path: string;
  typed(text: string): void;
  /** The inbox has taken it; it isn't at the model yet. */
  enqueued(content: string): void;
  /** It was in a turn: as the prompt that began it, or beside a tool's result. */
  delivered(content: string, shown: string, working: boolean): void;
  /** What hooks put beside a prompt. */
  added(texts: readonly string[]): void;
  toolUse(id: string, name: string, input: object): void;
  toolResult(id: string, output: string): void;
  answered(text: string): void;
};

export function openTranscript(config: string, cwd: string, sessionId: string): Transcript {
  const path = join(config, "projects", cwd.replace(/[^A-Za-z0-9]/g, "-"), `${sessionId}.jsonl`);
  let parentUuid: string | null = null;
  const write = (entry: object) => {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, `${JSON.stringify({ ...entry, timestamp: new Date().toISOString(), sessionId })}\n`);
  };
  const link = (entry: object) => {
    const uuid = crypto.randomUUID();
    write({ parentUuid, isSidechain: false, ...entry, uuid, cwd, version: "2.1.329" });
    parentUuid = uuid;
  };
  const user = (content: unknown, more: object) =>
    link({ type: "user", message: { role: "user", content }, ...more });
  const assistant = (block: object) =>
    link({ type: "assistant", message: { role: "assistant", content: [block] } });
  const queue = (operation: string, more: object = {}) =>
    write({ type: "queue-operation", operation, ...more });
  return {
    path,
    typed: (text) => user(text, { origin: { kind: "human" }, promptSource: "typed" }),
    enqueued: (content) => queue("enqueue", { content }),
    delivered(content, shown, working) {
      const origin = { kind: "peer", from: "unknown" };
      if (!working) {
        queue("dequeue");
        user(shown, { isMeta: true, origin, promptSource: "system", turnOrigin: "peer" });
        return;
      }
      queue("remove", { content, reason: "absorbed_mid_turn" });
      const attachment = {
        type: "queued_command",
        prompt: content,
        commandMode: "prompt",
        origin,
        isMeta: true,
      };
      link({
        type: "attachment",
        attachment,
        rendered: [{ content: `<system-reminder>\n${shown}\n</system-reminder>` }],
      });
    },
    added: (content) =>
      link({ type: "attachment", attachment: { type: "hook_additional_context", content } }),
    toolUse: (id, name, input) => assistant({ type: "tool_use", id, name, input }),
    toolResult: (id, output) =>
      user([{ type: "tool_result", tool_use_id: id, content: output, is_error: false }], {
        toolUseResult: { stdout: output, stderr: "", interrupted: false },
      }),
    answered: (text) => assistant({ type: "text", text }),
  };
}
