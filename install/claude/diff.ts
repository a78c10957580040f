/** What changes in a text, line by line: only the lines that go and come, as those around may hold secrets. */
import { diff } from "node:util";

const INSERT = -1;
const DELETE = 1;
/** Comparing takes the product of both lengths at worst. */
const MOST_LINES = 5000;

export function changedLines(before: string, after: string): string[] {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  if (old.length + fresh.length > MOST_LINES) return [];
  const changes = diff(old.map(withoutComma), fresh.map(withoutComma));
  return changes.flatMap(([kind, line]) =>
    Number(kind) === INSERT ? [`+ ${line}`] : Number(kind) === DELETE ? [`- ${line}`] : [],
  );
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.split(/\r?\n/).filter((line) => line.trim() !== "");
}

/** A line that only gets a comma has nothing new to show. */
function withoutComma(line: string): string {
  return line.replace(/,\s*$/, "");
}
