/** Runs a person's hooks as the client does: by a shell, with the event on stdin. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { z } from "zod";

const settings = z.looseObject({
  hooks: z
    .record(
      z.string(),
      z.array(
        z.looseObject({
          hooks: z.array(
            z.looseObject({
              command: z.string(),
              async: z.boolean().optional(),
              asyncRewake: z.boolean().optional(),
            }),
          ),
        }),
      ),
    )
    .catch({}),
  crossSessionInbound: z.enum(["accept", "hold", "refuse"]).catch("accept"),
});

const output = z.looseObject({ hookSpecificOutput: z.looseObject({ additionalContext: z.string() }) });

/** Settings are read anew each time: the client notices a change by itself. */
export function readSettings(path: string): z.infer<typeof settings> {
  try {
    return settings.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return settings.parse({});
  }
}

export type Hooks = {
  /** Resolves with what they add to the model's next request, once all that block have ended. */
  run(event: string, stdin: object): Promise<string[]>;
  end(): void;
};

/** `wake`: for the text of a hook with `asyncRewake` that ended with 2. `env`: asked anew for each. */
export function createHooks(
  settingsPath: string,
  cwd: string,
  env: () => Record<string, string>,
  wake: (text: string) => void,
): Hooks {
  const waiting = new Set<ChildProcess>();
  const start = (command: string, event: string, stdin: object) => {
    const child = spawn("/bin/sh", ["-c", command], { cwd, env: env(), stdio: "pipe" });
    waiting.add(child);
    const said = { stdout: "", stderr: "" };
    child.stdout.on("data", (text) => {
      said.stdout += text;
    });
    child.stderr.on("data", (text) => {
      said.stderr += text;
    });
    // A hook need not read what it is told.
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify({ ...stdin, hook_event_name: event }));
    return once(child, "close").then(([code]) => {
      waiting.delete(child);
      return { ...said, code: Number(code) };
    });
  };
  return {
    async run(event, stdin) {
      const hooks = readSettings(settingsPath).hooks[event]?.flatMap((group) => group.hooks) ?? [];
      const added = hooks.map(async ({ command, async, asyncRewake }) => {
        const ended = start(command, event, stdin);
        if (asyncRewake) ended.then(({ code, stderr }) => code === 2 && wake(stderr));
        if (async || asyncRewake) return "";
        const { code, stdout } = await ended;
        return code === 0 ? contextOf(event, stdout) : "";
      });
      return (await Promise.all(added)).filter((text) => text !== "");
    },
    end() {
      for (const child of waiting) child.kill("SIGKILL");
    },
  };
}

/** Plain words count at two events alone. */
function contextOf(event: string, stdout: string): string {
  try {
    return output.parse(JSON.parse(stdout)).hookSpecificOutput.additionalContext;
  } catch {
    return event === "SessionStart" || event === "UserPromptSubmit" ? stdout.trim() : "";
  }
}
