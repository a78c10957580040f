/** logs: what the daemon wrote, and with -f what it writes. The file is read here: it is wanted most when no daemon runs. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { homePath } from "#adapters/home.ts";
import { rolledPaths } from "#adapters/rolling-file.ts";
import { MeshError } from "#protocol/errors.ts";
import { whole } from "../input.ts";
import type { Context, Verb } from "../verb.ts";

const POLL_MS = 250;
const CHUNK = Buffer.alloc(64 * 1024);

function printLines({ json, print }: Context, text: string): void {
  for (const line of text.split("\n")) if (line !== "") print(json ? parsed(line) : null, line);
}

/** A line that a crash or a full disk cut is shown as it is. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line };
  }
}

/** The last lines, over as many files as that takes. */
function newest(path: string, limit: number): string[] {
  let lines: string[] = [];
  for (const each of rolledPaths(path)) {
    if (lines.length >= limit || !existsSync(each)) break;
    lines = [...readFileSync(each, "utf8").split("\n").filter(Boolean), ...lines];
  }
  return lines.slice(-limit);
}

/** What is written from `file`'s present end on, into it and into those that take its place. */
async function follow(path: string, fd: number, start: number, show: (text: string) => void): Promise<never> {
  let current = fd;
  let offset = start;
  let rest = Buffer.alloc(0);
  const drain = () => {
    for (;;) {
      const length = readSync(current, CHUNK, 0, CHUNK.length, offset);
      if (length === 0) return;
      offset += length;
      const bytes = Buffer.concat([rest, CHUNK.subarray(0, length)]);
      const end = bytes.lastIndexOf("\n") + 1;
      rest = Buffer.from(bytes.subarray(end));
      show(bytes.toString("utf8", 0, end));
    }
  };
  for (;;) {
    const next = successor(path, current);
    drain();
    if (next === null) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      continue;
    }
    closeSync(current);
    current = next;
    offset = 0;
    rest = Buffer.alloc(0);
  }
}

/** The file that was begun when the one behind `fd` was full; null while that is the current one. */
function successor(path: string, fd: number): number | null {
  const own = fstatSync(fd).ino;
  const files = rolledPaths(path).flatMap((each) => {
    const stat = statSync(each, { throwIfNoEntry: false });
    return stat ? [{ each, isOwn: stat.ino === own }] : [];
  });
  const place = files.findIndex(({ isOwn }) => isOwn);
  const next = place < 0 ? files.at(-1) : files[place - 1];
  return next ? openSync(next.each, "r") : null;
}

export const logs: Verb = {
  name: "logs",
  group: "daemon",
  options: {
    follow: { type: "boolean", short: "f", about: "go on with what is logged from now on" },
    limit: { type: "string", value: "N", about: "lines at most; 100 without it" },
  },
  summary: "what the daemon has logged; -f goes on",
  examples: ["claudemesh logs --limit 20", "claudemesh logs -f"],
  local: true,
  async run(context) {
    const path = join(homePath(), "logs", "daemon.log");
    if (!existsSync(path))
      throw new MeshError("not_found", `There is no log at ${path} yet.`, "Start the daemon: claudemesh up");
    const fd = openSync(path, "r");
    const end = fstatSync(fd).size;
    printLines(context, newest(path, whole(context.options.limit, "--limit") ?? 100).join("\n"));
    if (context.options.follow === true) await follow(path, fd, end, (text) => printLines(context, text));
  },
};
