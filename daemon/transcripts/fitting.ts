/** What was collected, cut to what an answer may hold: the newest of each, oldest first. */
import { utf8 } from "#protocol/bytes.ts";
import { MOST_BYTES, MOST_ENTRIES, type TranscriptAnswer } from "#protocol/features/ask.ts";
import type { Collected } from "./collect.ts";

/** Of everything that isn't an entry of a list. */
const FRAME_BYTES = 1024;

type Lists = Pick<TranscriptAnswer, "files" | "commands" | "tests">;

type Found = Omit<Collected, "summary"> & Pick<TranscriptAnswer, "summary">;

export function fitting(found: Found, limit: number): Lists & Pick<TranscriptAnswer, "more"> {
  let entries = MOST_ENTRIES;
  let bytes = MOST_BYTES - FRAME_BYTES - sizeOf(found.summary);
  /** A share of what is left, so that no list keeps the ones behind it out; what it doesn't use is theirs. */
  const newest = <T>(all: readonly T[], listsLeft: number): T[] => {
    let room = Math.floor(bytes / listsLeft);
    const most = Math.min(limit, Math.floor(entries / listsLeft));
    const taken: T[] = [];
    for (const one of all.slice(0, most)) {
      room -= sizeOf(one);
      if (room < 0) break;
      bytes -= sizeOf(one);
      taken.push(one);
    }
    entries -= taken.length;
    return taken.toReversed();
  };
  const tests = newest(found.tests, 3);
  const files = newest(found.files, 2);
  const commands = newest(found.commands, 1);
  return {
    files,
    commands,
    tests,
    more: {
      files: found.files.length + found.notKept.files - files.length,
      commands: found.commands.length + found.notKept.commands - commands.length,
      tests: found.tests.length + found.notKept.tests - tests.length,
      outside: found.outside,
      earlier: found.isCut,
    },
  };
}

/** Of its JSON, with the comma behind it. */
function sizeOf(value: unknown): number {
  return utf8(JSON.stringify(value)).length + 1;
}
