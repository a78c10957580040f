/** Flags that every verb takes. */
import type { Flag } from "./verb.ts";

export const APPROVAL_MODES = ["plan", "read-only", "write", "yolo"] as const;

export const GLOBAL_FLAGS = {
  workspace: { type: "string", value: "W", about: "the workspace meant" },
  mesh: { type: "string", value: "W", about: "the same, in old words" },
  json: { type: "boolean", about: "one JSON value on stdout; a stream: one a line" },
  quiet: { type: "boolean", about: "no text, only the exit code" },
  timeout: {
    type: "string",
    value: "T",
    about: "how long to wait at most; 10s without it, 100s for the person's yes",
  },
  "no-start": { type: "boolean", about: "fail where no daemon runs, instead of starting one" },
  session: { type: "string", value: "S", about: "speak as that session: a name, or its client's id" },
  "approval-mode": {
    type: "string",
    value: "MODE",
    values: APPROVAL_MODES,
    about: "how far the daemon lets this verb go; it never adds anything",
  },
  yes: { type: "boolean", short: "y", about: "don't ask before something that can't be undone" },
  help: { type: "boolean", short: "h", about: "what the verb does, with examples" },
} as const satisfies Record<string, Flag>;
