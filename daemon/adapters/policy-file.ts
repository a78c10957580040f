/** The file of rules in the home. Its person edits it with whatever they like: some editors replace a file, some write into it. */
import { existsSync, lstatSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "#adapters/atomic-file.ts";
import { fromSystem } from "#adapters/system-error.ts";
import type { PolicyFile } from "../ports.ts";
import { watchFile } from "./watch-file.ts";

const MOST_BYTES = 1024 * 1024;

export function policyFile(home: string): PolicyFile {
  const path = join(home, "policy.yaml");
  return {
    path,
    read() {
      try {
        return existsSync(path) ? readFileSync(path, "utf8").slice(0, MOST_BYTES) : null;
      } catch (error) {
        throw fromSystem(error, path) ?? error;
      }
    },
    create(text) {
      // One daemon owns the home, so nobody makes it in between. A link to nowhere is the person's own.
      if (!lstatSync(path, { throwIfNoEntry: false })) writeFileAtomically(path, text);
    },
    replace: (text) => writeFileAtomically(existsSync(path) ? realpathSync(path) : path, text),
    // Where nothing can be watched, changes count from the next start, or after `policy edit`.
    onChange: (run) => watchFile(path, run),
  };
}
