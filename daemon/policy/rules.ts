/** The rules in force: the file's, as of its last version that could be read; before there was any, the defaults. */
import { MeshError } from "#protocol/errors.ts";
import type { Policy } from "#protocol/features/policy.ts";
import type { Log, Timers } from "#protocol/ports.ts";
import type { PolicyFile } from "../ports.ts";
import { DEFAULTS, parsePolicy } from "./parse.ts";
import { TEMPLATE } from "./template.ts";

export type Rules = {
  path: string;
  now(): Policy;
  /** Why the file's own aren't in force; null: they are. */
  trouble(): MeshError | null;
  /** The file as it is, right or wrong; null where there is none. */
  text(): string | null;
  /** Takes the place of the file. @throws MeshError bad_data, or the system's error */
  save(text: string): Policy;
  /** Runs after each change of them. */
  onChange(run: () => void): void;
  close(): void;
};

/** Editors empty a file, or take it away, and write it then. */
const SETTLE_MS = 200;

/** Makes the file where there is none. */
export function openRules(file: PolicyFile, { log, timers }: { log: Log; timers: Timers }): Rules {
  const listeners = new Set<() => void>();
  let policy = DEFAULTS;
  let trouble: MeshError | null = null;
  let known: string | null = null;

  const read = () => {
    try {
      const text = file.read();
      if (text === known && trouble === null) return;
      known = text;
      policy = text === null ? DEFAULTS : parsePolicy(text);
      trouble = null;
    } catch (error) {
      trouble = error instanceof MeshError ? error : new MeshError("bad_data", String(error));
      log.warn({ error: trouble.message }, "the rules can't be read; those before stay in force");
      return;
    }
    for (const run of listeners) run();
  };

  try {
    file.create(TEMPLATE);
  } catch (error) {
    log.warn({ error: String(error) }, "the file of rules can't be made");
  }
  read();
  let cancel = () => {};
  const stop = file.onChange(() => {
    cancel();
    cancel = timers.after(SETTLE_MS, read);
  });
  return {
    path: file.path,
    now: () => policy,
    trouble: () => trouble,
    text: file.read,
    save(text) {
      parsePolicy(text);
      file.replace(text);
      read();
      return policy;
    },
    onChange: (run) => void listeners.add(run),
    close() {
      stop();
      cancel();
    },
  };
}
