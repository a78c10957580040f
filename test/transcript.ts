/** A transcript as Claude Code writes it, entry by entry: the fields that it has there, in a folder of its own. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

type Result = { output?: string; failed?: boolean; created?: boolean; refused?: boolean };

/** `at`: of the first entry; each further one is a second later. */
export function transcript(session: string, cwd: string, at: number) {
  const config = mkdtempSync(join(tmpdir(), "claude-"));
  onTestFinished(() => rmSync(config, { recursive: true, force: true }));
  const folder = join(config, "projects", cwd.replace(/[/.]/g, "-"));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${session}.jsonl`);
  let n = 0;
  let now = at;

  const write = (text: string) => appendFileSync(path, text);
  const entry = (fields: Record<string, unknown>) => {
    n++;
    now += 1000;
    const common = { isSidechain: false, userType: "external", cwd, sessionId: session, version: "2.1.329" };
    const place = { parentUuid: `u${n - 1}`, uuid: `u${n}`, gitBranch: "main" };
    write(`${JSON.stringify({ ...place, ...common, ...fields, timestamp: new Date(now).toISOString() })}\n`);
  };
  const says = (content: readonly unknown[], more = {}) =>
    entry({
      type: "assistant",
      message: { id: `m${n}`, type: "message", role: "assistant", model: "claude-test-1", content },
      ...more,
    });
  const calls = (name: string, input: Record<string, unknown>) => {
    const id = `toolu_${n}`;
    says([{ type: "tool_use", id, name, input }]);
    return (content: string, isError: boolean, toolUseResult: unknown) =>
      entry({
        type: "user",
        message: {
          role: "user",
          content: [{ tool_use_id: id, type: "tool_result", content, is_error: isError }],
        },
        toolUseResult,
        sourceToolAssistantUUID: `u${n}`,
      });
  };

  return {
    config,
    path,
    write,
    entry,
    /** When the newest entry was written. */
    now: () => now,
    /** Time in which nothing is written. */
    pause(ms: number) {
      now += ms;
    },
    prompt: (text: string) =>
      entry({ type: "user", message: { role: "user", content: text }, origin: { kind: "human" } }),
    says: (text: string, more = {}) => says([{ type: "text", text }], more),
    compact: (text: string) =>
      entry({ type: "user", isCompactSummary: true, message: { role: "user", content: text } }),
    runs(command: string, { output = "", failed = false, refused = false }: Result = {}) {
      const answer = calls("Bash", { command, description: "…" });
      if (refused) answer("This command requires approval", true, "Error: This command requires approval");
      else if (failed) answer(`Exit code 1\n${output}`, true, `Error: Exit code 1\n${output}`);
      else answer(output, false, { stdout: output, stderr: "", interrupted: false, isImage: false });
    },
    /** Its call without a result. */
    begins: (command: string) => void calls("Bash", { command }),
    edits(file: string, { created = false, failed = false }: Result = {}) {
      const content = "SECRET CONTENT OF A FILE";
      const answer = created
        ? calls("Write", { file_path: file, content })
        : calls("Edit", { file_path: file, old_string: content, new_string: `${content}!` });
      if (failed)
        answer("<tool_use_error>String to replace not found</tool_use_error>", true, "Error: not found");
      else answer("done", false, { type: created ? "create" : "update", filePath: file, content });
    },
  };
}

export type Transcript = ReturnType<typeof transcript>;
