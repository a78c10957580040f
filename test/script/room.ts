/** The world in which one script runs: its people, its files, what ran last, and the commands that a line may begin with. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { onTestFinished } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import type { Person } from "#test/e2e/person.ts";
import { eventually } from "#test/e2e/waiting.ts";
import { createWorld } from "#test/e2e/world.ts";
import { at } from "./expect.ts";

/** What a program left; `code` is -1 where a signal ended it. */
export type Outcome = { code: number; stdout: string; stderr: string };

/** A program that goes on while the script does. */
export type Job = { child: ChildProcess; said(): Outcome; ended: Promise<Outcome> };

export type Room = ReturnType<typeof createRoom>;

const PROGRAM_LIMIT_MS = 30_000;

export function createRoom(files: ReadonlyMap<string, string>, whenFinished: typeof onTestFinished) {
  const world = createWorld(whenFinished);
  const work = join(world.folder, "work");
  mkdirSync(work);
  for (const [name, text] of files) writeFileSync(join(work, name), text);

  const variables = new Map([["WORK", work]]);
  const env = new Map<string, string>();
  const people = new Map<string, Person>();
  const jobs = new Map<string, Job>();
  let stdin = "";
  let last: Outcome | null = null;

  const personNamed = (name: string) =>
    known(people.get(name), `there is no person and no command "${name}"`);
  const jobNamed = (name: string) => known(jobs.get(name), `nothing was started as "${name}"`);
  const ran = () => known(last, "nothing ran yet");
  const json = (): unknown => JSON.parse(ran().stdout || ran().stderr);

  const begin = (who: string, [program = "", ...args]: readonly string[], more = {}): Job => {
    const own = personNamed(who).env;
    const path = `${dirname(launcherPath)}${delimiter}${own.PATH}`;
    const whole = { ...own, PATH: path, ...Object.fromEntries(env), ...more };
    const child = spawn(program, args, { cwd: work, env: whole, stdio: "pipe" });
    whenFinished(() => void child.kill("SIGKILL"));
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    // A program that doesn't read has gone before it is written to.
    child.stdin.on("error", () => {});
    const ended = new Promise<Outcome>((resolve) => {
      // As a shell answers for a program that isn't there.
      child.once("error", ({ message }) => resolve({ code: 127, stdout, stderr: message }));
      child.once("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
    });
    return { child, ended, said: () => ({ code: 0, stdout, stderr }) };
  };

  const run = async (who: string, command: readonly string[]): Promise<void> => {
    const { child, ended } = begin(who, command);
    const limit = setTimeout(() => child.kill("SIGKILL"), PROGRAM_LIMIT_MS);
    child.stdin?.end(stdin);
    stdin = "";
    last = await ended;
    clearTimeout(limit);
  };

  const commands: Record<string, (...words: string[]) => Promise<void> | void> = {
    async broker() {
      const { url } = await world.broker();
      variables.set("BROKER", url);
    },
    async person(name = "", ...command) {
      const made = world.newcomer(name);
      people.set(name, made);
      variables.set(name, made.home);
      const broker = variables.get("BROKER");
      const where = broker === undefined ? [] : ["--broker", broker];
      const [up, ...flags] = command;
      if (up) await run(name, ["claudemesh", up, "--name", name, "--no-broker", ...where, ...flags]);
    },
    async team(owner = "", ...others) {
      await world.team(personNamed(owner), ...others.map(personNamed));
    },
    async session(who = "", id = "", folder = "") {
      mkdirSync(join(work, folder), { recursive: true });
      const place = { CLAUDE_PROJECT_DIR: join(work, folder), CLAUDE_CODE_MESSAGING_SOCKET: join(work, id) };
      jobs.set(id, begin(who, ["claudemesh", "mcp-serve"], { CLAUDE_CODE_SESSION_ID: id, ...place }));
      const isThere = async () => JSON.stringify(await personNamed(who).ok("peers")).includes(`"${id}"`);
      await eventually(isThere, `the session ${id} in peers`);
    },
    start(name = "", who = "", ...command) {
      jobs.set(name, begin(who, command));
    },
    async stop(name = "") {
      jobNamed(name).child.kill("SIGINT");
      last = await jobNamed(name).ended;
    },
    type(name = "", ...words) {
      jobNamed(name).child.stdin?.write(`${words.join(" ")}\n`);
    },
    async ended(name = "") {
      last = await jobNamed(name).ended;
    },
    stdin(name = "") {
      stdin = textOf(name);
    },
    env(setting = "") {
      const [, name = "", value = ""] = setting.match(/^(\w+)=(.*)$/s) ?? [];
      if (value === "") env.delete(name);
      else env.set(name, value);
    },
    set(name = "", path = "") {
      const value = known(at(json(), path), `there is nothing at ${path}`);
      variables.set(name, typeof value === "string" ? value : JSON.stringify(value));
    },
  };

  /** Of what ran last, of a section of the script, or of a file that a program wrote. */
  const textOf = (name: string): string => {
    if (name === "stdout") return ran().stdout;
    if (name === "stderr") return ran().stderr;
    return files.get(name) ?? readFileSync(join(work, name), "utf8");
  };

  return {
    variables,
    ran,
    json,
    jobNamed,
    textOf,
    /** Does what a line says; answers whether a program ran, whose exit code counts. */
    async perform([first = "", ...rest]: readonly string[]): Promise<boolean> {
      const command = Object.hasOwn(commands, first) ? commands[first] : undefined;
      if (command) await command(...rest);
      else await run(first, rest);
      return !command || (first === "person" && rest.length > 1);
    },
  };
}

function known<T>(value: T | null | undefined, otherwise: string): T {
  if (value === null || value === undefined) throw new Error(otherwise);
  return value;
}
