/** Errors by the exit code that a verb ends with. */
import { ERRORS } from "#protocol/errors.ts";
import { markdownTable } from "./blocks.ts";

const MEANINGS: readonly string[] = [
  "done",
  "unexpected",
  "wrong usage",
  "the daemon can't be reached",
  "not allowed",
  "not found",
  "conflict",
  "refused",
  "timed out, or no network",
  "bad input",
];

export function errorTable(): string {
  const rows = MEANINGS.map((meaning, exit) => {
    const codes = Object.entries(ERRORS).filter(([, error]) => error.exit === exit);
    const named = codes.map(([code, { retry }]) => `\`${code}\`${retry ? "*" : ""}`);
    return [String(exit), meaning, named.join(" ")];
  });
  return markdownTable(["exit code", "", "error codes"], rows);
}
