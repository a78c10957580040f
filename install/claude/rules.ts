/**
 * What a session may call without the person's click: verbs that only read, or say what the model could as well have said in
 * its answer. No verb that shares files, grants, invites, registers servers or changes policy, whoever talked the model into it.
 *
 * The client matches a rule by whole words from the command's start, and asks about anything else on the line: a second
 * command, a substitution, a variable set in front, a redirection to a file, or from one outside of the project.
 */
const VERBS = [
  "send",
  "inbox",
  "peers",
  "topic send",
  "topic history",
  "message status",
  "state get",
  "recall",
  "task list",
  "task claim",
  "task complete",
  "ask",
] as const;

export const RULES: readonly string[] = VERBS.map((verb) => `Bash(claudemesh ${verb}:*)`);

/** "Bash(claudemesh topic send:*)" → "topic send" */
export function verbIn(rule: string): string {
  return rule.slice("Bash(claudemesh ".length, -":*)".length);
}

/** Rules of others that allow every verb there is. */
export const TOO_WIDE = ["Bash(claudemesh:*)", "Bash(claudemesh *)", "Bash(claudemesh*)"];
