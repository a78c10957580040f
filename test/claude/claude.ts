/** The real client in a throw-away home: a session at a terminal, or one that a program drives with `-p`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { eventually } from "#test/e2e/waiting.ts";
import { clientPath } from "./client-package.ts";
import type { Model, ModelRequest } from "./mock-api.ts";
import { hasEnded, openTerminal, type Terminal } from "./terminal.ts";

/** What the client writes about a living session; undocumented, so read with care. */
const sessionFile = z.looseObject({
  sessionId: z.string(),
  status: z.string().optional(),
  /** In milliseconds since 1970. */
  statusUpdatedAt: z.number().optional(),
  waitingFor: z.string().optional(),
  messagingSocketPath: z.string().optional(),
});

type SessionFile = z.infer<typeof sessionFile>;

export type Session = {
  pid: number;
  folder: string;
  file(): SessionFile | null;
  /** Waits until it waits for the person; `since`: and has come to that only after this time. */
  idle(since?: number): Promise<void>;
  /** Says it and waits until it is at the model. */
  prompt(text: string): Promise<ModelRequest>;
  /** Says it, and waits until it is answered. */
  turn(text: string): Promise<ModelRequest>;
  /** Resolves while a tool call of so many seconds is under way. */
  busy(seconds: number): Promise<void>;
  exit(): Promise<void>;
};

export type TerminalSession = Session & { terminal: Terminal };

export type Claude = {
  /** Its settings and state: CLAUDE_CONFIG_DIR. */
  config: string;
  env: Record<string, string>;
  /** To be called before the client starts. */
  settings(change: object): void;
  /** At a terminal, past the first dialogs. `folder`: the project's name. */
  start(options?: {
    folder?: string;
    args?: readonly string[];
    env?: Record<string, string>;
  }): Promise<TerminalSession>;
  /** `claude -p`, with JSON in and out. */
  print(folder?: string): Promise<Session>;
};

// Its last 20 characters are what the client remembers of a key that its person has agreed to.
const API_KEY = `sk-ant-api03-${"not-a-real-key-".repeat(4)}`;

/** `env`: what the client's own children need of the person. */
export function createClaude(folder: string, model: Model, env: Record<string, string>): Claude {
  const config = join(folder, "config");
  const temporary = join(folder, "tmp");
  for (const made of [config, temporary]) mkdirSync(made, { recursive: true });
  // Away from the network, where there is no namespace that keeps it away.
  const quiet = [
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
    "DISABLE_AUTOUPDATER",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_INSTALLATION_CHECKS",
    "DISABLE_TELEMETRY",
  ];
  const all: Record<string, string> = {
    ...env,
    HOME: folder,
    CLAUDE_CONFIG_DIR: config,
    TMPDIR: temporary,
    LANG: "C.UTF-8",
    SHELL: "/bin/bash",
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: API_KEY,
    // Only so may root skip the permission prompts.
    IS_SANDBOX: "1",
    ...Object.fromEntries(quiet.map((name) => [name, "1"])),
  };
  const settingsPath = join(config, "settings.json");
  const statePath = join(config, ".claude.json");
  const change = (path: string, more: object) =>
    writeFileSync(path, JSON.stringify({ ...(existsSync(path) ? readJson(path) : {}), ...more }, null, 2));
  change(settingsPath, {
    permissions: { allow: ["Bash"], defaultMode: "default" },
    skipDangerousModePermissionPrompt: true,
  });
  change(statePath, {
    hasCompletedOnboarding: true,
    lastOnboardingVersion: "99.0.0",
    theme: "dark",
    numStartups: 5,
    customApiKeyResponses: { approved: [API_KEY.slice(-20)], rejected: [] },
  });

  const project = (name: string) => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    const known = { ...projectsOf(readJson(statePath)) };
    known[path] ??= { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true };
    change(statePath, { projects: known });
    return path;
  };

  const session = (
    pid: number,
    at: string,
    say: (text: string) => Promise<void>,
    quit: () => Promise<void>,
  ): Session => {
    const file = () => {
      const path = join(config, "sessions", `${pid}.json`);
      try {
        return sessionFile.parse(readJson(path));
      } catch {
        // Not there yet, gone, or half written: it will be looked for again.
        return null;
      }
    };
    const idle = async (since = 0) => {
      await eventually(async () => {
        const { status, statusUpdatedAt = 0 } = file() ?? {};
        return status === "idle" && statusUpdatedAt >= since;
      }, "the session to be idle");
    };
    const prompt = async (text: string) => {
      await say(text);
      return model.hears(text);
    };
    return {
      pid,
      folder: at,
      file,
      idle,
      prompt,
      async turn(text) {
        const before = Date.now();
        const request = await prompt(text);
        // The request may be out before the file says "busy".
        await idle(before);
        return request;
      },
      async busy(seconds) {
        const begun = join(at, "begun");
        await prompt(`[[bash: touch begun; sleep ${seconds}; rm begun]]`);
        await eventually(async () => existsSync(begun), "the tool call to begin");
      },
      async exit() {
        await quit();
        await eventually(async () => hasEnded(pid), "the client's end");
      },
    };
  };

  return {
    config,
    env: all,
    settings: (more) => change(settingsPath, more),
    async start({ folder: name = "payments", args = [], env: more = {} } = {}) {
      const cwd = project(name);
      const debug = join(folder, `debug-${Date.now()}.txt`);
      const command = [clientPath, "--debug-file", debug, ...args];
      const terminal = await openTerminal(temporary, command, { cwd, env: { ...all, ...more } });
      const say = async (text: string) => {
        await terminal.type(text);
        await terminal.press("Enter");
      };
      const made = session(terminal.pid, cwd, say, () => say("/exit"));
      await eventually(async () => {
        const { status, waitingFor } = made.file() ?? {};
        // A tip of the first start ("Make auto mode your default?").
        if (status === "waiting" && waitingFor === "dialog open") await terminal.press("Escape");
        return status === "idle";
      }, "the prompt box");
      return { ...made, terminal };
    },
    async print(name = "payments") {
      const cwd = project(name);
      const json = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"];
      const child = spawn(clientPath, ["-p", ...json], {
        cwd,
        env: all,
        stdio: ["pipe", "ignore", "inherit"],
      });
      const ended = once(child, "exit");
      onTestFinished(async () => {
        child.kill("SIGKILL");
        await ended;
      });
      const say = async (text: string) => {
        const line = { type: "user", message: { role: "user", content: text } };
        child.stdin.write(`${JSON.stringify(line)}\n`);
      };
      return session(child.pid ?? 0, cwd, say, async () => {
        child.stdin.end();
        await ended;
      });
    },
  };
}

function readJson(path: string): Record<string, unknown> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, "utf8")));
}

const projectsOf = ({ projects }: Record<string, unknown>) =>
  z.record(z.string(), z.unknown()).catch({}).parse(projects);
