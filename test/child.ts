/** Another process for a test: TypeScript source run by this Node, importing as from the repository's root. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export type Child = {
  /** What it prints, line by line. */
  lines: AsyncIterableIterator<string>;
  /** Kills it as no cleanup can notice, and resolves once it has gone. */
  kill(): Promise<void>;
};

export function startChild(source: string, ...args: string[]): Child {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  // A test that fails half-way leaves nothing behind.
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return {
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
