/** How these tests wait: for a condition, with a bound, or for a line that a process prints. Nothing sleeps. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

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

export async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`it ended with code ${code}`)));
  const [line] = await Promise.race([once(lines, "line"), ended]);
  return String(line);
}

export type Streaming = {
  child: ChildProcess;
  /** What it has printed so far. */
  seen: readonly string[];
  /** Resolves with the first line, past or coming, that holds the words. */
  line(words: string): Promise<string>;
  exited: Promise<number | null>;
};

/** A command that goes on printing; it ends with the test at the latest. */
export function streaming(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Streaming {
  const child = spawn(command, [...args], { stdio: ["pipe", "pipe", "inherit"], env });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const seen: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (text) => seen.push(text));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return {
    child,
    seen,
    line: (words) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = seen.find((text) => text.includes(words));
          if (found !== undefined) resolve(found);
        };
        lines.on("line", look);
        lines.once("close", () => reject(new Error(`it ended without saying "${words}"`)));
        look();
      }),
    exited,
  };
}
