/** What the entries of a transcript say was done: one line of JSON each, of which what isn't known is passed over. */
import { type Fields, isFields, modelOf, parseEntry, wordsIn } from "./fields.ts";
import { isTest, type Verdict, verdictOf } from "./test-runs.ts";

/** Null `ok`: it still runs, or isn't told. */
export type Outcome = { ok: boolean | null; isNew: boolean; wasRefused: boolean; verdict: Verdict };

export type Step =
  | { type: "edit"; id: string; path: string }
  | { type: "command"; id: string; command: string; isTest: boolean }
  | { type: "outcome"; id: string; outcome: Outcome }
  | { type: "words"; text: string }
  | { type: "compact"; text: string };

/** `steps` in the order in which they were taken. */
export type Entry = { at: number; cwd: string; branch: string | null; model: string | null; steps: Step[] };

/** What a client says instead of running something; a command that ran and failed begins with its exit code. */
const NOT_RUN =
  /^(?:Error: )?(?!Exit code)[^\n]*(?:doesn't want to|rejected|requires? approval|needs? approval|can't be checked before|was blocked|haven't granted|been denied|shell expansion)/i;

const EDITING = new Set(["Edit", "MultiEdit", "Write", "NotebookEdit"]);
const RUNNING = new Set(["Bash", "PowerShell"]);

/** Null for what says nothing of this, or is damaged. */
export function entryOf(line: string): Entry | null {
  // Most of a long transcript is bookkeeping; parsing that would cost more than all the rest.
  if (!/"type":\s?"(?:user|assistant)"/.test(line)) return null;
  const entry = parseEntry(line);
  if (!entry || (entry.type !== "user" && entry.type !== "assistant")) return null;
  const at = Date.parse(textIn(entry.timestamp));
  const message = isFields(entry.message) ? entry.message : {};
  if (Number.isNaN(at)) return null;
  const isAnswer = entry.type === "assistant" && entry.isApiErrorMessage !== true;
  return {
    at,
    cwd: textIn(entry.cwd) || "/",
    // Outside of a repository, or at no branch, it says HEAD.
    branch: /^(?!HEAD$)./.test(textIn(entry.gitBranch)) ? textIn(entry.gitBranch) : null,
    model: isAnswer ? modelOf(message) : null,
    steps: entry.type === "assistant" ? (isAnswer ? stepsIn(entry, message) : []) : resultsIn(entry, message),
  };
}

function stepsIn(entry: Fields, { content }: Fields): Step[] {
  return partsOf(content).flatMap((part): Step[] => {
    // A helper's words are for the session, and not its own.
    const isSaid = part.type === "text" && entry.isSidechain !== true && textIn(part.text).trim() !== "";
    if (isSaid) return [{ type: "words", text: textIn(part.text) }];
    if (part.type !== "tool_use" || !isFields(part.input)) return [];
    const { input } = part;
    const [id, name] = [textIn(part.id), textIn(part.name)];
    const path = textIn(input.file_path) || textIn(input.notebook_path);
    const command = textIn(input.command);
    if (EDITING.has(name) && path !== "") return [{ type: "edit", id, path }];
    if (RUNNING.has(name) && command !== "")
      return [{ type: "command", id, command, isTest: isTest(command) }];
    return [];
  });
}

function resultsIn({ isCompactSummary, toolUseResult }: Fields, { content }: Fields): Step[] {
  if (isCompactSummary === true) return [{ type: "compact", text: wordsIn(content) }];
  return partsOf(content).flatMap((part): Step[] =>
    part.type === "tool_result"
      ? [{ type: "outcome", id: textIn(part.tool_use_id), outcome: outcomeOf(part, toolUseResult) }]
      : [],
  );
}

function outcomeOf({ is_error: isError, content }: Fields, result: unknown): Outcome {
  const told = isFields(result) ? result : {};
  const output = `${wordsIn(content)}\n${textIn(told.stderr)}\n${textIn(told.stdout)}`;
  const wasRefused = isError === true && NOT_RUN.test(output);
  const isOver = told.interrupted !== true && textIn(told.backgroundTaskId) === "";
  return {
    ok: isError === true || told.interrupted === true ? false : isOver ? true : null,
    isNew: told.type === "create",
    wasRefused,
    verdict: verdictOf(output),
  };
}

function partsOf(content: unknown): Fields[] {
  return Array.isArray(content) ? content.filter(isFields) : [];
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}
