/** A transcript of 100 MB told from end to beginning, and the longest time in which nothing else of the process had its turn. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#adapters/clock.ts";
import { claudeFiles } from "#daemon/adapters/claude-files.ts";
import { collect } from "#daemon/transcripts/collect.ts";
import { projectAt } from "#daemon/transcripts/project.ts";
import { type Bench, timed } from "./figure.ts";

const BYTES = 100 * 1024 * 1024;
const RUNS = 3;
const CWD = "/home/alice/payments";

export const transcript: Bench = {
  name: "transcript",
  async run() {
    const config = mkdtempSync(join(tmpdir(), "bench-"));
    const path = fill(config);
    const whole: number[] = [];
    const longest: number[] = [];
    const floor: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      floor.push(await timed(() => readFileSync(path, "latin1").split("\n").length));
      const watch = watchLoop();
      whole.push(await timed(() => told(config)));
      longest.push(watch.end());
    }
    rmSync(config, { recursive: true, force: true });
    const floorName = "read at once, split in lines";
    return [
      { name: "100 MB, a day's", measured: whole, floor, floorName, target: "≤ 5 s" },
      { name: "longest hold-up meanwhile", measured: longest, floor, floorName, target: "≤ 50 ms" },
    ];
  },
};

async function told(config: string): Promise<void> {
  const lines = claudeFiles.readBack({ session: "s-1", config });
  if (!lines) throw new Error("there is a transcript");
  const about = ["files", "commands", "tests", "summary"] as const;
  await collect(lines, projectAt(CWD), { about, since: 0, limit: 200 }, systemClock);
}

/** Turns of the event loop, one after the other; the answer is the longest that one took. */
function watchLoop() {
  let longest = 0;
  let last = performance.now();
  let next = setImmediate(function turn() {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    next = setImmediate(turn);
  });
  return {
    end() {
      clearImmediate(next);
      return longest;
    },
  };
}

/** Of every four calls one is a command, two read a file, and one writes one. */
function fill(config: string): string {
  const folder = join(config, "projects", "-home-alice-payments");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "s-1.jsonl");
  const begin = Date.now() - 24 * 60 * 60 * 1000;
  for (let size = 0, n = 0; size < BYTES; ) {
    let part = "";
    for (; part.length < 1024 * 1024; n++) part += pairOf(n, begin + n * 100);
    appendFileSync(path, part);
    size += part.length;
  }
  return path;
}

function pairOf(n: number, at: number): string {
  const common = { cwd: CWD, gitBranch: "main", timestamp: new Date(at).toISOString() };
  const output = `line of output ${n}\n`.repeat(n % 50 === 0 ? 8000 : 100);
  const input =
    n % 4 === 0
      ? { name: "Bash", input: { command: `API_KEY=${n} npx vitest run src/${n}.test.ts` } }
      : n % 4 === 1
        ? { name: "Write", input: { file_path: `${CWD}/src/${n % 700}.ts`, content: output } }
        : { name: "Read", input: { file_path: `${CWD}/src/${n}.ts` } };
  const call = { type: "tool_use", id: `t${n}`, ...input };
  const result = { type: "tool_result", tool_use_id: `t${n}`, content: output };
  return [
    { type: "assistant", message: { model: "claude-test-1", content: [call] }, ...common },
    {
      type: "user",
      message: { role: "user", content: [result] },
      toolUseResult: { stdout: output },
      ...common,
    },
  ]
    .map((entry) => `${JSON.stringify(entry)}\n`)
    .join("");
}
