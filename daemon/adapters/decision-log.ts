/** What was decided, a line of JSON each, in files that only grow until the oldest goes. */
import { readFileSync } from "node:fs";
import { openRollingFile, rolledPaths } from "#adapters/rolling-file.ts";
import { type Decision, decision } from "#protocol/features/approval.ts";
import type { Decisions } from "../ports.ts";

/** @throws the system's error when there can't be a file at `path` */
export function openDecisionLog(path: string, sizes: { maxBytes?: number; files?: number } = {}): Decisions {
  const file = openRollingFile(path, sizes);
  return {
    append: (one) => file.write(`${JSON.stringify(one)}\n`),
    newest(limit) {
      const found: Decision[] = [];
      for (const one of rolledPaths(path, sizes.files)) {
        if (found.length >= limit) break;
        found.unshift(...decisionsIn(one).slice(-(limit - found.length)));
      }
      return found;
    },
  };
}

function decisionsIn(path: string): Decision[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // Not that many have come together yet.
    return [];
  }
  return text.split("\n").flatMap((line) => {
    try {
      return [decision.parse(JSON.parse(line))];
    } catch {
      // The last line of a power cut, or the empty one behind the last.
      return [];
    }
  });
}
