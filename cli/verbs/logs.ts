/** logs: what the daemon wrote, and with -f what it writes. The file is read here: it is wanted most when no daemon runs. */
import { existsSync, readFileSync, statSync, watchFile } from "node:fs";
import { join } from "node:path";
import { homePath } from "#adapters/home.ts";
import { MeshError } from "#protocol/errors.ts";
import { whole } from "../input.ts";
import type { Context, Verb } from "../verb.ts";

const POLL_MS = 250;

function printLines({ json, print }: Context, text: string): void {
  for (const line of text.split("\n")) if (line !== "") print(json ? JSON.parse(line) : null, line);
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
    const text = readFileSync(path, "utf8");
    const limit = whole(context.options.limit, "--limit") ?? 100;
    printLines(context, text.trimEnd().split("\n").slice(-limit).join("\n"));
    if (context.options.follow !== true) return;
    let offset = Buffer.byteLength(text);
    await new Promise<never>(() => {
      watchFile(path, { interval: POLL_MS }, () => {
        // A file that became shorter is a new one.
        if (statSync(path).size < offset) offset = 0;
        const fresh = readFileSync(path).subarray(offset);
        const whole = fresh.subarray(0, fresh.lastIndexOf("\n") + 1);
        offset += whole.length;
        printLines(context, whole.toString("utf8"));
      });
    });
  },
};
