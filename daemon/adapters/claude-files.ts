/** The files that Claude Code keeps of its sessions (2.1.285 and newer), and the repository that a folder is in. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { claudeFolder } from "#adapters/claude-folder.ts";
import type { ClaudeClient, ClaudeFiles } from "../ports.ts";
import { followFile } from "./follow-file.ts";
import { readBackwards } from "./read-backwards.ts";
import { watchFile } from "./watch-file.ts";

const PS_LIMIT_MS = 5000;

const stateFile = z.object({
  sessionId: z.string().min(1).max(100),
  status: z.string().catch(""),
  version: z.string().catch(""),
});
const settingsFile = z.object({ crossSessionInbound: z.enum(["accept", "hold", "refuse"]).catch("accept") });

export const claudeFiles: ClaudeFiles = {
  state(client) {
    const found = stateFile.safeParse(json(statePath(client)));
    if (!found.success) return null;
    const { sessionId, status, version } = found.data;
    return { session: sessionId, status, version };
  },
  // Of a client that keeps no such files it isn't known what it does.
  onState: (client, run) => watchFile(statePath(client), run),
  follow: ({ config, session }, line) => followFile(() => transcriptPath(config, session), line),
  readBack({ session, config }) {
    const configs = config === null ? usualConfigs() : [config];
    const path = configs.map((one) => transcriptPath(one, session)).find((one) => one !== null);
    return path ? readBackwards(path) : null;
  },
  inbound(config) {
    const found = settingsFile.safeParse(json(join(config, "settings.json")));
    return found.success ? found.data.crossSessionInbound : "accept";
  },
  bypasses: ({ pid, config }) =>
    new Promise((answer) => {
      const settings = json(join(config, "settings.json"));
      execFile("ps", ["-o", "args=", "-p", String(pid)], { timeout: PS_LIMIT_MS }, (_, stdout) => {
        answer(
          /--dangerously-skip-permissions|--permission-mode[= ]bypassPermissions/.test(stdout) ||
            defaultMode.safeParse(settings).success,
        );
      });
    }),
  repository(folder) {
    const git = gitFolder(folder);
    if (!git) return { repo: null, branch: null };
    const branch = /^ref: refs\/heads\/(.+)$/m.exec(text(join(git, "HEAD")) ?? "")?.[1] ?? null;
    const common = resolve(git, text(join(git, "commondir"))?.trim() ?? ".");
    const url = /\[remote "origin"\][^[]*?\burl\s*=\s*(\S+)/.exec(text(join(common, "config")) ?? "")?.[1];
    const repo = url
      ?.replace(/\/+$/, "")
      .replace(/\.git$/, "")
      .split(/[/:]/)
      .slice(-2)
      .join("/");
    return { repo: (repo ?? basename(dirname(common))).slice(-200), branch: branch?.slice(0, 200) ?? null };
  },
};

const defaultMode = z.object({ permissions: z.object({ defaultMode: z.literal("bypassPermissions") }) });

/** Of this process, which may have been started by a session; and of whoever sets none. */
function usualConfigs(): string[] {
  return [...new Set([claudeFolder(), join(homedir(), ".claude")])];
}

function statePath({ config, pid }: ClaudeClient): string {
  return join(config, "sessions", `${pid}.json`);
}

/** In the folder of its project, whichever that is: a session may be resumed from elsewhere. */
function transcriptPath(config: string, session: string): string | null {
  const projects = join(config, "projects");
  if (!existsSync(projects)) return null;
  const paths = readdirSync(projects).map((project) => join(projects, project, `${session}.jsonl`));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** `.git` of a folder or one above it; of a worktree, what its file names. */
function gitFolder(folder: string): string | null {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const git = join(at, ".git");
    if (existsSync(join(git, "HEAD"))) return git;
    const named = /^gitdir: (.+)$/m.exec(text(git) ?? "")?.[1];
    if (named) return resolve(at, named);
    if (at === dirname(at)) return null;
  }
}

/** Null for what isn't there, can't be read or isn't JSON: nothing is known then. */
function json(path: string): unknown {
  try {
    return JSON.parse(text(path) ?? "");
  } catch {
    return null;
  }
}

function text(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
