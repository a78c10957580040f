/**
 * What a service manager makes of a unit, as far as ours goes: for machines where no systemd can be had. It knows
 * ExecStart, Environment, Restart=on-failure, RestartSec and RestartPreventExitStatus, and refuses another Restart.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { onTestFinished } from "vitest";

export type Supervisor = {
  /** How it ended each time, in order: exit codes, and names of signals. */
  endings: readonly (number | string)[];
  pid(): number | undefined;
  /** Resolves once the service stays down. */
  down: Promise<void>;
};

/** `environment`: what a manager gives to every service. */
export function supervise(unit: string, environment: Record<string, string>): Supervisor {
  const settings = (name: string) =>
    Array.from(unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm")), ([, value]) => value ?? "");
  const [command = "", ...args] = words(settings("ExecStart")[0] ?? "");
  const own = settings("Environment")
    .flatMap(words)
    .map((word) => word.split(/=(.*)/s, 2));
  const prevented = (settings("RestartPreventExitStatus")[0] ?? "").split(" ").map(Number);
  const restMs = Number(settings("RestartSec")[0]) * 1000;
  if (settings("Restart")[0] !== "on-failure") throw new Error("this knows Restart=on-failure alone");

  const endings: (number | string)[] = [];
  const over = new AbortController();
  let child: ChildProcess | undefined;
  onTestFinished(() => {
    over.abort();
    child?.kill("SIGKILL");
  });
  const run = async () => {
    for (;;) {
      child = spawn(command, args, { env: { ...environment, ...Object.fromEntries(own) }, stdio: "ignore" });
      const [code, signal] = await once(child, "exit");
      endings.push(signal ?? code);
      if (over.signal.aborted || code === 0 || prevented.includes(code)) return;
      await pause(restMs, undefined, { signal: over.signal });
    }
  };
  const down = run();
  // Ended with its test, in the midst of a rest.
  down.catch(() => {});
  return { endings, pid: () => child?.pid, down };
}

/** Words as systemd splits them: in quotation marks, a backslash before each sign that means something, $$ and %% for one. */
function words(line: string): string[] {
  return Array.from(line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g), ([, quoted, plain]) =>
    (quoted ?? plain ?? "").replace(/\\(.)/g, "$1").replace(/\$\$/g, "$").replace(/%%/g, "%"),
  );
}
