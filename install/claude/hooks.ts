/** Which of Claude Code's events reach claudemesh, and by which command: the one table for settings and plugin. */
import type { JsonObject } from "./json-text.ts";

export type Hook = {
  /** As Claude Code names the event. */
  event: string;
  /** As the launcher is told it, behind the word hook. */
  argument: string;
  /** The client goes on, and an exit code of 2 wakes the session. */
  asyncRewake?: true;
  timeoutSeconds: number;
};

/** A hook that waits is armed anew after each turn; a day is as good as forever. */
const WAIT_SECONDS = 24 * 60 * 60;
const TIMEOUT_SECONDS = 5;

/** For sessions that have no inbox: with one they buy nothing, and end at once. */
export const HOOKS: readonly Hook[] = [
  { event: "SessionStart", argument: "wait", asyncRewake: true, timeoutSeconds: WAIT_SECONDS },
  { event: "Stop", argument: "wait", asyncRewake: true, timeoutSeconds: WAIT_SECONDS },
  { event: "UserPromptSubmit", argument: "prompt", timeoutSeconds: TIMEOUT_SECONDS },
];

const HAS_INBOX = '[ -n "$CLAUDE_CODE_MESSAGING_SOCKET" ] || ';

/** Of one of our commands. What has another shape is somebody else's, whatever it calls. */
const COMMAND =
  /^(?:\[ -n "\$CLAUDE_CODE_MESSAGING_SOCKET" \] \|\| )?\[ ! -x ('(?:[^']|'\\'')+\/claudemesh') \] \|\| exec \1 (?:hook [a-z-]+|statusline)$/;

/**
 * Ends well where the launcher has gone: a hook that fails is shown to the person at every turn. The exit code is the
 * launcher's own, as 2 means something.
 */
export function guarded(launcher: string, words: string): string {
  const path = shellQuoted(launcher);
  return `[ ! -x ${path} ] || exec ${path} ${words}`;
}

/** A test of a shell's own costs a session that has an inbox 2 ms, where the launcher would cost it 40. */
export function unlessInbox(command: string): string {
  return `${HAS_INBOX}${command}`;
}

export function isOurCommand(command: unknown): boolean {
  return typeof command === "string" && COMMAND.test(command);
}

/** An entry in the list of its event; `command` makes the line that is run from the words behind the launcher. */
export function hookGroup(hook: Hook, command: (words: string) => string): JsonObject {
  const { argument, timeoutSeconds, asyncRewake } = hook;
  return {
    hooks: [
      {
        type: "command",
        command: unlessInbox(command(`hook ${argument}`)),
        timeout: timeoutSeconds,
        ...(asyncRewake ? { asyncRewake } : {}),
      },
    ],
  };
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
