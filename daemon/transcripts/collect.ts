/** What a session did since some time, read from the end of its transcript back: the newest, and how many there were before. */
import type { About } from "#protocol/features/ask.ts";
import type { Clock } from "#protocol/ports.ts";
import { entryOf, type Outcome, type Step } from "./entries.ts";
import type { Project } from "./project.ts";
import { redact } from "./redact.ts";

/** After that what was read so far is the answer. */
const LONGEST_MS = 5000;
/** Entries are in the order of their time, but for some that a client writes late: one old one isn't the end. */
const OLD_IN_A_ROW = 30;
/** Calls whose results were read before them, and files that are told apart. */
const MOST_OPEN = 2000;
const MOST_FILES = 5000;

/** Of words, so much is looked at, and so much told. */
const LOOKED_AT = 16_384;
const COMMAND = 300;
const LINE = 200;
const SUMMARY = 1500;

export type Run = { command: string; at: string; ok: boolean | null };
export type TestRun = Run & { line: string | null };
export type Edited = { path: string; edits: number; created: boolean };

/** All newest first. */
export type Collected = {
  files: Edited[];
  commands: Run[];
  tests: TestRun[];
  summary: { from: "compact" | "words"; at: string; text: string } | null;
  /** Those of each that were counted only. */
  notKept: { commands: number; tests: number; files: number };
  outside: number;
  branch: string | null;
  model: string | null;
  newest: number | null;
  oldest: number | null;
  /** The time asked for wasn't reached, though there is more. */
  isCut: boolean;
  /** It was; else the oldest entry is the first. */
  reachedSince: boolean;
};

export type Wanted = { about: readonly About[]; since: number; limit: number };

/** `lines`: some at a time, newest first. */
export async function collect(
  lines: AsyncIterable<readonly string[]>,
  project: Project,
  { about, since, limit }: Wanted,
  clock: Clock,
): Promise<Collected> {
  const deadline = clock.now() + LONGEST_MS;
  const outcomes = new Map<string, Outcome>();
  const files = new Map<string, Edited>();
  const outside = new Set<string>();
  const found: Collected = {
    files: [],
    commands: [],
    tests: [],
    summary: null,
    notKept: { commands: 0, tests: 0, files: 0 },
    outside: 0,
    branch: null,
    model: null,
    newest: null,
    oldest: null,
    isCut: false,
    reachedSince: false,
  };

  const edited = (path: string, cwd: string, outcome: Outcome | undefined) => {
    const inside = project.inside(path, cwd);
    if (inside === null) {
      if (outside.size < MOST_FILES) outside.add(path);
      return;
    }
    const known = files.get(inside) ?? { path: inside, edits: 0, created: false };
    if (known.edits === 0 && files.size >= MOST_FILES) found.notKept.files++;
    else
      files.set(inside, {
        ...known,
        edits: known.edits + 1,
        created: known.created || outcome?.isNew === true,
      });
  };

  const ran = (step: Extract<Step, { type: "command" }>, at: number, cwd: string, outcome?: Outcome) => {
    const kind = step.isTest ? "tests" : "commands";
    if (found[kind].length >= limit) {
      found.notKept[kind]++;
      return;
    }
    const ok = outcome?.ok ?? null;
    const run = { command: shownCommand(step.command, project, cwd), at: iso(at), ok };
    if (!step.isTest) return void found.commands.push(run);
    const { line = null, failed = false } = outcome?.verdict ?? {};
    const shown = line === null ? null : cut(project.shown(redact(line), cwd), LINE);
    found.tests.push({ ...run, ok: failed ? false : ok, line: shown });
  };

  const take = (step: Step, at: number, cwd: string) => {
    if (step.type === "outcome") {
      outcomes.set(step.id, step.outcome);
      const [first] = outcomes.keys();
      if (outcomes.size > MOST_OPEN && first !== undefined) outcomes.delete(first);
    } else if (step.type === "words" || step.type === "compact") {
      if (!about.includes("summary")) return;
      found.summary ??= { from: step.type, at: iso(at), text: shownSummary(step.text, project, cwd) };
    } else {
      const outcome = outcomes.get(step.id);
      outcomes.delete(step.id);
      if (outcome?.wasRefused) return;
      if (step.type === "command") {
        if (about.includes(step.isTest ? "tests" : "commands")) ran(step, at, cwd, outcome);
      } else if (about.includes("files") && outcome?.ok !== false) edited(step.path, cwd, outcome);
    }
  };

  const isDone = () => about.every((one) => one === "summary") && found.summary !== null;

  /** Where it ended: at the time asked for, where all was found, at the beginning, or because it took too long. */
  const readBack = async (): Promise<"reached" | "beginning" | "late"> => {
    let old = 0;
    for await (const some of lines) {
      for (const line of some) {
        const entry = entryOf(line);
        if (!entry) continue;
        old = entry.at < since ? old + 1 : 0;
        if (old >= OLD_IN_A_ROW) return "reached";
        if (old > 0) continue;
        found.newest ??= entry.at;
        found.oldest = entry.at;
        found.branch ??= entry.branch;
        found.model ??= entry.model;
        for (const step of entry.steps.toReversed()) take(step, entry.at, entry.cwd);
        if (isDone()) return "reached";
      }
      if (clock.now() > deadline) return "late";
    }
    return old > 0 ? "reached" : "beginning";
  };

  const end = await readBack();
  return {
    ...found,
    files: [...files.values()].map((file) => ({ ...file, path: cut(redact(file.path), COMMAND) })),
    outside: outside.size,
    isCut: end === "late",
    reachedSince: end === "reached",
  };
}

/** Its first line: what follows may well be what a file is to hold. */
export function shownCommand(command: string, project: Project, cwd: string): string {
  const lines = command.trim().split("\n").length;
  const [first = ""] = project.shown(redact(command.trim().slice(0, LOOKED_AT)), cwd).split("\n");
  const shown = cut(first.replace(/^cd \.\s*(?:&&|;)\s*/, ""), COMMAND);
  return lines > 1 ? `${shown} (+${lines - 1} lines)` : shown;
}

/** Without what it quotes: that may be a file's. */
export function shownSummary(text: string, project: Project, cwd: string): string {
  const words = text.slice(0, LOOKED_AT).replace(/```[\s\S]*?(?:```|$)|~~~[\s\S]*?(?:~~~|$)/g, "[code]");
  return cut(project.shown(redact(words), cwd).trim(), SUMMARY);
}

/** At a whole character. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).replace(/[\ud800-\udbff]$/, "")}…`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
