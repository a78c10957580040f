/**
 * Runs the scripts beside this file: `NAME.txt` is one test, in the manner of rsc's testscript.
 *
 * A script is lines of words, apart by spaces. '…' keeps spaces together, `''` in it is a quote; `$NAME` outside of
 * quotes is a variable; `#` begins a comment. Behind the lines come the files that it needs, as `-- NAME --` and text;
 * they lie in the folder that programs run in.
 *
 * Who and where:
 *   broker                       a broker for a team; its address is $BROKER
 *   person NAME                  somebody with a home of their own, $NAME, and nothing in it
 *   person NAME up [FLAG…]       the same, and a daemon that knows $BROKER, if there is one, and brings none along
 *   team OWNER NAME…             OWNER makes the workspace "acme" and lets the others in
 *   session NAME ID FOLDER       a Claude session of theirs in that folder; `stop ID` ends it
 *   env NAME=VALUE               for whatever runs from now on; without VALUE no longer
 *   stdin FILE                   what the next program reads; else it reads nothing
 *
 * What runs:
 *   NAME PROGRAM ARG…            a program as that person: `alice claudemesh inbox`; it has to end with 0
 *   ! NAME PROGRAM ARG…          it must not
 *   needs NAME PROGRAM ARG…      where it doesn't end with 0, the script is over here, and well
 *   wait NAME PROGRAM ARG…       again and again, until it and the checks right below hold, for 20 s at most
 *   start JOB NAME PROGRAM ARG…  it goes on while the script does
 *   type JOB WORD…               a line that it reads
 *   stop JOB                     ends it by Ctrl-C, and what it left is checked like that of any other
 *   ended JOB                    the same, when it ends by itself
 *
 * What is checked, of what ran last; `! CHECK …` turns it around:
 *   exit CODE                    the exit code
 *   stdout REGEX, stderr REGEX   somewhere in it; ^ and $ are a line's
 *   json PATH [VALUE]            a value in the JSON on stdout (or in the error on stderr) is there, or is VALUE: JSON,
 *                                a bare word, or /REGEX/; `.a.b[0]`, `[-1]` for the last, `[*]` for each, `.length`
 *   cmp stdout|stderr|json FILE  all of it; <id> <record> <short> <hash> <time> <clock> <number> <text> in FILE stand
 *                                for what differs in every run, <any> for any JSON; in JSON no field may come or go
 *   line JOB REGEX               what a job has said so far; waited for
 *   set NAME PATH                keeps a value of the JSON as $NAME
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "#test/e2e/waiting.ts";
import { type Check, checksIn } from "./checks.ts";
import { createRoom, type Room } from "./room.ts";
import { type Line, parseScript, wordsOf } from "./txtar.ts";

const WAIT_LIMIT_MS = 20_000;

async function runScript(
  text: string,
  whenFinished = onTestFinished,
  waitLimitMs = WAIT_LIMIT_MS,
): Promise<void> {
  const { lines, files } = parseScript(text);
  const room = createRoom(files, whenFinished);
  const checks = checksIn(room);
  const wordsIn = (line: Line) => wordsOf(line.text, room.variables);
  const isCheck = (line: Line) => Object.hasOwn(checks, line.text.replace(/^! /, "").split(" ")[0] ?? "");

  /** The checks from line `first` on, up to whatever is none. */
  const checksFrom = (first: number): readonly Line[] => {
    const end = lines.findIndex((line, i) => i >= first && !isCheck(line));
    return lines.slice(first, end < 0 ? lines.length : end);
  };

  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    if (!line) break;
    try {
      const words = wordsIn(line);
      if (words[0] === "needs") {
        if ((await runAndJudge(room, words.slice(1))) !== null) return;
      } else if (words[0] === "wait") {
        const below = checksFrom(i + 1);
        i += below.length;
        await until(async () => {
          const wrong = await runAndJudge(room, words.slice(1));
          return (
            wrong ?? below.map((one) => judge(checks, wordsIn(one))).find((found) => found !== null) ?? null
          );
        }, waitLimitMs);
      } else if (isCheck(line)) {
        const isComing = words.find((word) => word !== "!") === "line";
        await until(async () => judge(checks, words), isComing ? waitLimitMs : 0);
      } else hold(await runAndJudge(room, words));
    } catch (error) {
      throw new Error(
        `line ${line.number}, ${line.text}: ${error instanceof Error ? error.message : error}\n${shown(room)}`,
      );
    }
  }
}

async function runAndJudge(room: Room, words: readonly string[]): Promise<string | null> {
  const mustFail = words[0] === "!";
  const isProgram = await room.perform(mustFail ? words.slice(1) : words);
  if (!isProgram) return null;
  const { code } = room.ran();
  return (code === 0) === mustFail ? `it ended with ${code}` : null;
}

function judge(checks: Record<string, Check>, words: readonly string[]): string | null {
  const isTurned = words[0] === "!";
  const [name = "", ...rest] = isTurned ? words.slice(1) : words;
  const wrong = checks[name]?.(...rest) ?? null;
  return isTurned ? (wrong === null ? "it does hold" : null) : wrong;
}

function hold(wrong: string | null): void {
  if (wrong !== null) throw new Error(wrong);
}

/** Looks again until nothing is wrong; what was wrong last says why it was given up. */
async function until(look: () => Promise<string | null>, limitMs: number): Promise<void> {
  let wrong: string | null = null;
  const isRight = async () => {
    wrong = await look().catch((error) => (error instanceof Error ? error.message : String(error)));
    return wrong === null;
  };
  await eventually(isRight, "", limitMs).catch(() => hold(wrong));
}

function shown(room: Room): string {
  try {
    const { code, stdout, stderr } = room.ran();
    return `exit ${code}\n${stdout}${stderr}`;
  } catch {
    return "";
  }
}

describe("scripts", () => {
  const folder = import.meta.dirname;
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".txt"))) {
    test.concurrent(name, ({ onTestFinished }) =>
      runScript(readFileSync(join(folder, name), "utf8"), onTestFinished),
    );
  }
});

describe("the language sees", () => {
  /** With a program behind it that went well, and JSON to look at. */
  const says = (text: string) =>
    `person p\np cat said\n${text}\n-- said --\n{"a": [{"b": 1}, {"b": 2}], "id": "x y"}\n`;

  test.each([
    ["a program that fails", "p false"],
    ["one that doesn't", "! p true"],
    ["another exit code", "! p sh -c 'exit 3'\nexit 4"],
    ["no match", "stdout z"],
    ["a match that must not be", "! stdout x"],
    ["another value", "json .a[0].b 2"],
    ["a value that isn't there", "json .c"],
    ["one that must not be there", "! json .id"],
    ["another text", "cmp stdout other\n-- other --\nother"],
    ["a field that came", 'cmp json other\n-- other --\n{"a": "<any>"}'],
    ["a field that went", 'cmp json other\n-- other --\n{"a": "<any>", "id": "<text>", "c": 1}'],
    ["another type", 'cmp json other\n-- other --\n{"a": "<any>", "id": "<number>"}'],
    ["nobody of that name", "q true"],
    ["an unknown variable", "p echo $NOTHING"],
    ["an open quote", "p echo 'a"],
    ["a job that ends without saying it", "start j p true\nended j\nstdout ."],
    ["a job that never says it", "start j p true\nline j x"],
    ["a wait for a program that goes on failing", "wait p false"],
    ["a wait for what never holds", "wait p cat said\nstdout z"],
    ["a wait for JSON that never comes", "wait p echo no\njson .a"],
  ])("%s", async (_, text) => {
    await expect(runScript(says(text), onTestFinished, 100)).rejects.toThrow(/^line [345], /);
  });
});
