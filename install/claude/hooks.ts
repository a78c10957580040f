/** Which of Claude Code's events reach claudemesh, and by which command: the one table for settings and plugin. */
import type { JsonObject } from "./json-text.ts";

export type Hook = {
  /** As Claude Code names the event. */
  event: string;
  /** As the launcher is told it, behind the word hook. */
  argument: string;
  /** Only for what matches, say a tool's name. */
  matcher?: string;
  /** The client goes on at once; what the hook says comes with the next turn. */
  async?: true;
  /** The client goes on, and an exit code of 2 wakes the session. */
  asyncRewake?: true;
  timeoutSeconds: number;
};

const TIMEOUT_SECONDS = 5;

export const HOOKS: readonly Hook[] = [
  { event: "SessionStart", argument: "session-start", timeoutSeconds: TIMEOUT_SECONDS },
  { event: "UserPromptSubmit", argument: "prompt", timeoutSeconds: TIMEOUT_SECONDS },
  { event: "Stop", argument: "stop", async: true, timeoutSeconds: TIMEOUT_SECONDS },
  { event: "Notification", argument: "notification", async: true, timeoutSeconds: TIMEOUT_SECONDS },
  // Not async: the client ends with it.
  { event: "SessionEnd", argument: "session-end", timeoutSeconds: TIMEOUT_SECONDS },
];

/** Of one of our commands. What has another shape is somebody else's, whatever it calls. */
const COMMAND = /^\[ ! -x ('(?:[^']|'\\'')+\/claudemesh') \] \|\| exec \1 (?:hook [a-z-]+|statusline)$/;

/**
 * Ends well where the launcher has gone: a hook that fails is shown to the person at every turn. The exit code is the
 * launcher's own, as 2 means something.
 */
export function guarded(launcher: string, words: string): string {
  const path = shellQuoted(launcher);
  return `[ ! -x ${path} ] || exec ${path} ${words}`;
}

export function isOurCommand(command: unknown): boolean {
  return typeof command === "string" && COMMAND.test(command);
}

/** An entry in the list of its event; `command` makes the line that is run from the words behind the launcher. */
export function hookGroup(hook: Hook, command: (words: string) => string): JsonObject {
  const { argument, matcher, timeoutSeconds, async, asyncRewake } = hook;
  return {
    ...(matcher === undefined ? {} : { matcher }),
    hooks: [
      {
        type: "command",
        command: command(`hook ${argument}`),
        timeout: timeoutSeconds,
        ...(async ? { async } : {}),
        ...(asyncRewake ? { asyncRewake } : {}),
      },
    ],
  };
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
