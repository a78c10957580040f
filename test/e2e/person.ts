/** Somebody with a home of their own, and the verbs they type: each a real process. */
import { spawn } from "node:child_process";
import { connectDaemon, type DaemonClient } from "#adapters/daemon-client.ts";
import { launcherPath } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";
import { end, processesOf } from "./ending.ts";
import { eventually, type Streaming, streaming } from "./waiting.ts";

export type Outcome = { code: number; stdout: string; stderr: string };
export type RunOptions = { stdin?: string | Uint8Array; env?: Record<string, string> };

export type Person = {
  home: string;
  env: Record<string, string>;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Runs with --json, insists on code 0, answers what was printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read the printed JSON as scripts do, without our types
  ok(...args: string[]): Promise<any>;
  /** The same, as a verb inside of that Claude session. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  okIn(session: string, ...args: string[]): Promise<any>;
  /** Insists on the exit code, an empty stdout and one JSON error on stderr; answers it. */
  fails(
    code: number,
    args: readonly string[],
    options?: RunOptions,
  ): Promise<{ code: string; message: string; hint: string }>;
  /** A verb that goes on, such as `topic tail`. */
  stream(...args: string[]): Streaming;
  daemonPid(): Promise<number>;
  /** Ends the daemon as no cleanup can notice; resolves once it has gone. */
  kill9(): Promise<void>;
  client(): Promise<DaemonClient>;
};

/** `launcher`: of another installation. */
export function personAt(home: string, folder: string, launcher = launcherPath): Person {
  const env = { ...cleanEnv(folder), CLAUDEMESH_HOME: home };
  const run: Person["run"] = (args, { stdin, env: more } = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(launcher, [...args], {
        stdio: ["pipe", "pipe", "pipe"],
        env: { ...env, ...more },
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
  const ok = async (args: readonly string[], options?: RunOptions) => {
    const { code, stdout, stderr } = await run([...args, "--json"], options);
    if (code !== 0) throw new Error(`claudemesh ${args.join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const status = () => ok(["status"]);
  const made: Person = {
    home,
    env,
    run,
    ok: (...args) => ok(args),
    okIn: (session, ...args) => ok(args, { env: { CLAUDE_CODE_SESSION_ID: session } }),
    async fails(code, args, options) {
      const outcome = await run([...args, "--json"], options);
      if (outcome.code !== code || outcome.stdout !== "") {
        throw new Error(
          `claudemesh ${args.join(" ").slice(0, 80)}: wanted code ${code}, got ${JSON.stringify(outcome).slice(0, 500)}`,
        );
      }
      return JSON.parse(outcome.stderr).error;
    },
    stream: (...args) => streaming(launcher, args, env),
    daemonPid: async () => (await status()).daemon.pid,
    async kill9() {
      const pid = await made.daemonPid();
      end(pid);
      await eventually(async () => !processesOf(home).includes(pid), "the daemon's end");
    },
    client: async () => connectDaemon((await status()).daemon.socket, { client: "cli", version: VERSION }),
  };
  return made;
}

/** Nothing of whoever runs the tests: no Claude session, no home, no workspace. */
export function cleanEnv(folder: string): Record<string, string> {
  return { PATH: process.env.PATH ?? "", HOME: folder, USER: "tester" };
}
