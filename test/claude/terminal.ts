/** A pseudo-terminal with a program in it: tmux, with a server of its own. */
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { end } from "#test/e2e/ending.ts";
import { eventually } from "#test/e2e/waiting.ts";

export type Terminal = {
  /** Of the program. */
  pid: number;
  screen(): Promise<string>;
  /** Waits until the words are on the screen; where lines are broken doesn't matter. */
  shows(words: string): Promise<void>;
  /** Types the text as a person would, without Enter, and waits until it is to be seen. */
  type(text: string): Promise<void>;
  press(...keys: string[]): Promise<void>;
};

const run = promisify(execFile);

let opened = 0;

export async function openTerminal(
  folder: string,
  command: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<Terminal> {
  const server = ["-S", join(folder, `terminal-${++opened}`), "-f", "/dev/null"];
  const tmux = async (...args: string[]) => (await run("tmux", [...server, ...args], { env })).stdout;
  // The program must not know that it is in tmux: it would ask the person's questions about it.
  const plain = ["env", "-u", "TMUX", "-u", "TMUX_PANE", "TERM=xterm-256color", ...command];
  const size = ["-x", "180", "-y", "50"];
  await tmux(
    "new-session",
    "-d",
    ...size,
    "-c",
    cwd,
    plain.map(quote).join(" "),
    ";",
    "set",
    "remain-on-exit",
    "on",
  );
  const pid = Number(await tmux("list-panes", "-F", "#{pane_pid}"));
  onTestFinished(async () => {
    end(pid);
    await eventually(async () => hasEnded(pid), "the program's end");
    await tmux("kill-server");
  });
  const screen = () => tmux("capture-pane", "-p");
  const shows: Terminal["shows"] = async (words) => {
    await eventually(
      async () => squeezed(await screen()).includes(squeezed(words)),
      `"${words}" on the screen`,
    );
  };
  return {
    pid,
    screen,
    shows,
    async type(text) {
      await tmux("send-keys", "-l", text);
      await shows(text);
    },
    async press(...keys) {
      await tmux("send-keys", ...keys);
    },
  };
}

/** A dead process whose parent hasn't looked yet has ended, too. */
export function hasEnded(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() === "" || stdout.startsWith("Z");
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

const squeezed = (text: string) => text.replace(/\s+/g, "");
