/** What a question asks about, by its words. */
import { ABOUT, type About, MOST_ENTRIES } from "#protocol/features/ask.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const UNITS: Record<string, number> = {
  min: 60_000,
  minute: 60_000,
  hour: 60 * 60_000,
  day: DAY_MS,
  week: 7 * DAY_MS,
};
/** Of each kind, where nothing in particular was asked for. */
const SHORT = 10;

const WORDS: Readonly<Record<About, RegExp>> = {
  files:
    /\b(?:files?|edit(?:s|ed|ing)?|chang(?:e|es|ed|ing)|touch(?:ed|ing)?|modif(?:y|ied|ying)|wr(?:ite|iting|ote|itten)|created?|diff)\b/i,
  commands: /\b(?:commands?|execut(?:e|ed|ing)|shell|bash|terminal|typed)\b/i,
  tests: /\b(?:tests?|tested|testing|pass(?:es|ed|ing)?|fail(?:s|ed|ing|ures?)?|green|red|suites?|ci)\b/i,
  summary: /\b(?:summar(?:y|ies|i[sz]e[ds]?)|status|doing|progress|working|done|finished|plan|next|up to)\b/i,
};
/** Of tests as of commands. */
const RUN = /\b(?:runs?|ran|running)\b/i;

export type Asked = { about: About[]; limit: number; sinceMs: number | null };

/** Commands asked for are tests too; where no word is known, a little of everything. */
export function wordsOf(question: string): Asked {
  const named = ABOUT.filter((one) => WORDS[one].test(question));
  const isRun = RUN.test(question) && !named.includes("tests");
  const wanted = new Set<About>([...named, ...(isRun ? (["commands"] as const) : [])]);
  if (wanted.has("commands")) wanted.add("tests");
  const about = ABOUT.filter((one) => wanted.size === 0 || wanted.has(one));
  const isAll = /\b(?:all|everything)\b/i.test(question);
  return { about, limit: wanted.size > 0 || isAll ? MOST_ENTRIES : SHORT, sinceMs: timeIn(question) };
}

/** "in the last hour", "the past 3 days". */
function timeIn(question: string): number | null {
  const [, count = "1", unit = ""] =
    /\b(?:last|past)\s+(?:(\d{1,3})\s*)?(min|minute|hour|day|week)s?\b/i.exec(question) ?? [];
  const ms = Number(count) * (UNITS[unit.toLowerCase()] ?? 0);
  return ms > 0 ? ms : null;
}
