/** What a verb is: how it is called, and one function that asks the daemon and prints. */
import type { DaemonClient } from "#adapters/daemon-client.ts";
import type { Client } from "#protocol/registry.ts";

/** As Node's parseArgs takes it, with what help, docs and completions say of it. */
export type Flag = {
  type: "string" | "boolean";
  short?: string;
  /** Name of its value in usage lines: `--limit N`. */
  value?: string;
  /** All values that it takes, where they can be listed. */
  values?: readonly string[];
  about: string;
};

export type Options = Record<string, string | boolean | undefined>;

export type Context = {
  /** Words behind the verb. */
  args: readonly string[];
  options: Options;
  json: boolean;
  quiet: boolean;
  timeoutMs: number;
  workspace: string | undefined;
  /** Connects, and starts the daemon first where that is needed. */
  daemon(): Promise<Client>;
  /** To the daemon as it is: none is started or replaced. @throws MeshError daemon_unreachable */
  connect(): Promise<DaemonClient>;
  /**
   * Exactly one of the two goes to stdout: `json` under --json, `text` else. A reader that has gone (`… | head`) ends the
   * process, and is no error; with `gone` it is the verb's to end.
   */
  print(json: unknown, text: string, gone?: () => void): void;
  /** A remark for a person, on stderr; nothing under --json or --quiet. */
  note(text: string): void;
  /** Shows on a terminal what is waited for, until `work` has settled. */
  waiting<T>(what: string, work: Promise<T>): Promise<T>;
  /** From now on the time limit counts; `daemon()` calls it. */
  limited(): void;
  /** From now on there is no time limit: the verb runs until it is ended. */
  endless(): void;
  /** Resolves when the connection ends. */
  closed(): Promise<void>;
};

export type Verb = {
  /** Noun and verb, "topic send", or one word. */
  name: string;
  /** The row of the overview for a name of one word. */
  group?: string;
  aliases?: readonly string[];
  /** Names of the words it takes; an optional one in brackets, one that repeats with …. */
  args?: readonly string[];
  options?: Readonly<Record<string, Flag>>;
  summary: string;
  examples: readonly string[];
  /** Other programs run it, and people don't: it isn't in the overview. */
  inner?: boolean;
  /** Neither daemon nor time limit is needed. */
  local?: boolean;
  run(context: Context): Promise<void> | void;
};
