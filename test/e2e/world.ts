/** A throw-away world of real processes: a broker, people with homes of their own, and the verbs they type. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { connectDaemon, type DaemonClient } from "#adapters/daemon-client.ts";
import { launcherPath } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";

export type Outcome = { code: number; stdout: string; stderr: string };
type RunOptions = { stdin?: string | Uint8Array; env?: Record<string, string> };

export type Broker = {
  url: string;
  port: number;
  data: string;
  kill9(): Promise<void>;
  restart(): Promise<void>;
};

export type Person = {
  home: string;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Runs with --json, insists on code 0, answers what was printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read the printed JSON as scripts do, without our types
  ok(...args: string[]): Promise<any>;
  /** Insists on the exit code, an empty stdout and one JSON error on stderr; answers it. */
  fails(
    code: number,
    args: readonly string[],
    options?: RunOptions,
  ): Promise<{ code: string; message: string; hint: string }>;
  daemonPid(): Promise<number>;
  kill9(): Promise<void>;
  client(): Promise<DaemonClient>;
};

export type World = {
  folder: string;
  /** `publicUrl`: the address that people know it by, when something stands in between. */
  broker(publicUrl?: string): Promise<Broker>;
  /** `up` with that broker and none embedded; `flags` replace these. */
  person(name: string, broker: Pick<Broker, "url"> | null, flags?: readonly string[]): Promise<Person>;
  /** alice makes "acme" and lets the others in. */
  team(alice: Person, ...others: readonly Person[]): Promise<void>;
};

export function createWorld(): World {
  const folder = mkdtempSync(join(tmpdir(), "mesh-"));
  const pids = new Set<number>();
  const people: Person[] = [];
  onTestFinished(async () => {
    for (const person of people) await person.run(["down"]);
    for (const pid of pids) end(pid);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const broker = async (publicUrl?: string): Promise<Broker> => {
    const data = join(folder, `broker-${pids.size}`);
    const start = async (port: number) => {
      const known = publicUrl ? ["--public-url", publicUrl] : [];
      const child = spawn(
        launcherPath,
        ["broker", "--json", "--port", String(port), "--data", data, ...known],
        {
          stdio: ["ignore", "pipe", "inherit"],
          env: cleanEnv(folder),
        },
      );
      pids.add(child.pid ?? 0);
      return { child, port: Number(JSON.parse(await firstLine(child)).port) };
    };
    let running = await start(0);
    return {
      url: publicUrl ?? `http://127.0.0.1:${running.port}`,
      port: running.port,
      data,
      async kill9() {
        const gone = once(running.child, "exit");
        running.child.kill("SIGKILL");
        await gone;
      },
      async restart() {
        running = await start(running.port);
      },
    };
  };

  const person: World["person"] = async (name, at, flags) => {
    const home = join(folder, name);
    const made = personAt(home, folder);
    people.push(made);
    const where = at ? ["--broker", at.url, "--no-broker"] : [];
    const up = await made.run(["up", ...(flags ?? ["--name", name, ...where])]);
    if (up.code !== 0) throw new Error(`up failed: ${up.stderr}`);
    return made;
  };

  return {
    folder,
    broker,
    person,
    async team(alice, ...others) {
      await alice.ok("workspace", "create", "acme");
      for (const other of others) {
        const { url } = await alice.ok("invite", "create", "--workspace", "acme");
        const { member } = await other.ok("join", url);
        const knows = async () => JSON.stringify(await alice.ok("peers")).includes(`"${member.name}"`);
        await eventually(knows, `${member.name} among alice's peers`);
      }
    },
  };
}

export function personAt(home: string, folder: string): Person {
  const environment = (env: Record<string, string> = {}) => ({
    ...cleanEnv(folder),
    CLAUDEMESH_HOME: home,
    ...env,
  });
  const run: Person["run"] = (args, { stdin, env } = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(launcherPath, [...args], {
        stdio: ["pipe", "pipe", "pipe"],
        env: environment(env),
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      child.once("error", reject);
      child.once("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
      // A verb that refuses a long text has gone before it is written.
      child.stdin.on("error", () => {});
      child.stdin.end(stdin ?? "");
    });
  const status = async () => JSON.parse((await run(["status", "--json"])).stdout);
  const made: Person = {
    home,
    run,
    async ok(...args) {
      const { code, stdout, stderr } = await run([...args, "--json"]);
      if (code !== 0) throw new Error(`claudemesh ${args.join(" ")} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
    async fails(code, args, options) {
      const outcome = await run([...args, "--json"], options);
      if (outcome.code !== code || outcome.stdout !== "") {
        throw new Error(
          `claudemesh ${args.join(" ").slice(0, 80)}: wanted code ${code}, got ${JSON.stringify(outcome).slice(0, 500)}`,
        );
      }
      return JSON.parse(outcome.stderr).error;
    },
    daemonPid: async () => (await status()).daemon.pid,
    async kill9() {
      end(await made.daemonPid());
    },
    client: async () => connectDaemon((await status()).daemon.socket, { client: "cli", version: VERSION }),
  };
  return made;
}

/** Nothing of whoever runs the tests: no Claude session, no home, no workspace. */
function cleanEnv(folder: string): Record<string, string> {
  return { PATH: process.env.PATH ?? "", HOME: folder, USER: "tester" };
}

export async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`it ended with code ${code}`)));
  const [line] = await Promise.race([once(lines, "line"), ended]);
  return String(line);
}

/** Looks again until `check` holds; the only polling in these tests. */
export async function eventually<T>(
  check: () => Promise<T | null | false>,
  what: string,
  limitMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await check();
    if (found !== null && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
