/** What a verb is: how it is called, and one function that asks the daemon and prints. */
import type { ParseArgsOptionsConfig } from "node:util";
import type { Client } from "#protocol/registry.ts";

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
  /** Exactly one of the two goes to stdout: `json` under --json, `text` else. */
  print(json: unknown, text: string): void;
  /** A remark for a person, on stderr; nothing under --json or --quiet. */
  note(text: string): void;
  /** From now on the time limit counts; `daemon()` calls it. */
  limited(): void;
  /** From now on there is no time limit: the verb runs until it is ended. */
  endless(): void;
  /** Resolves when the connection ends. */
  closed(): Promise<void>;
};

export type Verb = {
  /** Noun and verb: "topic send". */
  name: string;
  aliases?: readonly string[];
  /** Names of the words it takes; an optional one in brackets. */
  args?: readonly string[];
  options?: ParseArgsOptionsConfig;
  summary: string;
  examples: readonly string[];
  /** Neither daemon nor time limit is needed. */
  local?: boolean;
  run(context: Context): Promise<void> | void;
};
