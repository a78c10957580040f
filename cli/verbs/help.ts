/** help: one screen for everything, a page for each noun, and one for each verb. */
import { current, isNoun, unknownVerb } from "../parse.ts";
import { table } from "../print.ts";
import type { Flag, Verb } from "../verb.ts";

const HEAD = "claudemesh: your team's AI coding sessions, connected and end-to-end encrypted";
const WIDTH = 80;
const MORE = "more";
const FOOT = [
  'Example:     claudemesh send alice "the build is green"',
  "Addresses:   alice  alice/payments  alice/*  @group  #topic  *  me  me/*",
  "Everywhere:  --workspace W  --json  --quiet  --timeout 10s  --no-start  --yes",
  "More:        claudemesh NOUN --help, claudemesh NOUN VERB --help",
];

/** Where a verb stands in the overview, and as what: its noun, or the group of a name that is one word. */
export function rowOf({ name, group, args = [] }: Verb): { row: string; word: string } {
  const [noun = "", verb] = name.split(" ");
  if (verb !== undefined) return { row: noun, word: verb };
  return { row: group ?? MORE, word: name === "join" ? [name, ...args].join(" ") : name };
}

export function flagUsage(flag: string, { short, value }: Flag): string {
  return `${short ? `-${short}, ` : ""}--${flag}${value ? ` ${value}` : ""}`;
}

/** What a flag's line says behind its name. */
export function flagAbout({ about, values }: Flag): string {
  return values ? `${about}: ${values.join(", ")}` : about;
}

/** All verbs by their row, in the order of the registry; what is seldom needed comes last. */
export function rowsOf(verbs: readonly Verb[]): Map<string, Verb[]> {
  const rows = new Map<string, Verb[]>();
  for (const verb of verbs) rows.set(rowOf(verb).row, [...(rows.get(rowOf(verb).row) ?? []), verb]);
  const more = rows.get(MORE) ?? [];
  rows.delete(MORE);
  return rows.set(MORE, more);
}

/** @throws MeshError usage for words that name nothing */
export function helpPage(verbs: readonly Verb[], given: readonly string[]): string {
  if (given.length === 0) return overview(verbs);
  const words = current(given);
  const wanted = words.join(" ");
  const verb = verbs.find(({ name, aliases = [] }) => name === wanted || aliases.includes(wanted));
  const ofNoun = isNoun(verbs, words) ? verbs.filter(({ name }) => name.startsWith(`${wanted} `)) : [];
  const pages = [...(verb ? [verbPage(verb)] : []), ...(ofNoun.length > 0 ? [nounPage(ofNoun)] : [])];
  if (pages.length === 0) throw unknownVerb(verbs, words);
  return pages.join("\n\n");
}

function overview(verbs: readonly Verb[]): string {
  const shown = verbs.filter(({ inner }) => !inner);
  const rows = [...rowsOf(shown)].map(([row, its]) => [row, its.map((verb) => rowOf(verb).word)] as const);
  const lines = rows.flatMap(([row, words]) => wrapped(`  ${row.padEnd(11)}`, words));
  return [HEAD, ...lines, ...FOOT].join("\n");
}

/** Words behind a head, in as many lines as they need. */
function wrapped(head: string, words: readonly string[]): string[] {
  const lines = [head];
  for (const word of words) {
    const line = lines.at(-1) ?? "";
    if (line.length + 2 + word.length > WIDTH) lines.push(" ".repeat(head.length) + word);
    else lines[lines.length - 1] = line === head ? line + word : `${line}  ${word}`;
  }
  return lines;
}

function nounPage(verbs: readonly Verb[]): string {
  const rows = verbs.map((verb) => [`  ${[verb.name, ...(verb.args ?? [])].join(" ")}`, verb.summary]);
  const examples = verbs.flatMap(({ examples }) => examples.slice(0, 1)).map((line) => `  ${line}`);
  return `claudemesh\n${table(rows)}\n\nExamples:\n${examples.join("\n")}`;
}

function verbPage(verb: Verb): string {
  const { name, aliases = [], args = [], options = {}, summary, examples } = verb;
  const known = [name, ...aliases];
  const rows = Object.entries(options).map(([flag, one]) => [`  ${flagUsage(flag, one)}`, flagAbout(one)]);
  return [
    known.map((one) => ["claudemesh", one, ...args].join(" ")).join("\n"),
    `  ${summary}`,
    ...(rows.length > 0 ? ["", table(rows)] : []),
    "",
    "Examples:",
    ...examples.map((line) => `  ${line}`),
  ].join("\n");
}
