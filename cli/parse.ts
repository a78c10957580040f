/** From the words of a command line to a verb, its words and its flags. */
import { parseArgs } from "node:util";
import { MeshError } from "#protocol/errors.ts";
import { didYouMean } from "#protocol/nearest.ts";
import { GLOBAL_FLAGS } from "./flags.ts";
import type { Options, Verb } from "./verb.ts";

export type Request = { verb: Verb; args: readonly string[]; options: Options };

/** `--help` anywhere asks for `help` with the noun or verb that the words name. @throws MeshError usage */
export function parse(verbs: readonly Verb[], argv: readonly string[]): Request {
  if (argv[0] === "--version") return parse(verbs, ["version", ...argv.slice(1)]);
  // First loosely, to find the verb among the flags; then strictly, with the verb's own flags.
  const loose = parseArgs({ args: [...argv], options: GLOBAL_FLAGS, allowPositionals: true, strict: false });
  const words = loose.positionals;
  if (loose.values.help === true || words.length === 0) {
    const noun = isNoun(verbs, words) ? words : null;
    const named = noun ?? (words.length === 0 ? [] : [findVerb(verbs, words).verb.name]);
    const flags = argv.filter((word) => word === "--json" || word === "--quiet");
    return parse(
      verbs,
      ["help", ...named.join(" ").split(" "), ...flags].filter((word) => word !== ""),
    );
  }
  const { verb } = findVerb(verbs, words);
  const options = { ...GLOBAL_FLAGS, ...verb.options };
  try {
    const { positionals, values } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const { rest } = findVerb(verbs, positionals);
    requireArgs(verb, rest);
    return { verb, args: rest, options: values as Options };
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw wrongFlag(verb, Object.keys(options), error);
  }
}

/** The verb that the first words name, and the words behind it. @throws MeshError usage */
export function findVerb(
  verbs: readonly Verb[],
  words: readonly string[],
): { verb: Verb; rest: readonly string[] } {
  const [first = ""] = words;
  if (/^[\s<("'`]*https?:\/\//i.test(first)) return findVerb(verbs, ["join", ...words]);
  const [noun = "", second] = current(words);
  for (const name of [`${noun} ${second}`, noun]) {
    const verb = verbs.find((one) => one.name === name || one.aliases?.includes(name));
    if (verb) return { verb, rest: words.slice(name === noun ? 1 : 2) };
  }
  throw unknownVerb(verbs, [noun, ...words.slice(1)]);
}

/** Whether the words are a noun and nothing else. */
export function isNoun(verbs: readonly Verb[], words: readonly string[]): boolean {
  const [noun, ...rest] = current(words);
  return rest.length === 0 && verbs.some(({ name }) => name.startsWith(`${noun} `));
}

/** "mesh" is the old word for a workspace. */
export function current(words: readonly string[]): readonly string[] {
  return words[0] === "mesh" ? ["workspace", ...words.slice(1)] : words;
}

export function unknownVerb(verbs: readonly Verb[], words: readonly string[]): MeshError {
  const [noun = ""] = words;
  const hasVerbs = isNoun(verbs, [noun]);
  if (hasVerbs && words.length === 1) {
    const names = verbs
      .filter(({ name }) => name.startsWith(`${noun} `))
      .map(({ name }) => name.split(" ")[1]);
    return new MeshError(
      "usage",
      `"${noun}" is followed by one of: ${names.join(", ")}.`,
      `See \`claudemesh help ${noun}\`.`,
    );
  }
  const wanted = words.slice(0, hasVerbs ? 2 : 1).join(" ");
  const names = verbs.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  const nouns = names.map((name) => name.split(" ")[0] ?? "");
  const otherwise = hasVerbs ? `See \`claudemesh help ${noun}\`.` : "See `claudemesh help`.";
  return new MeshError(
    "usage",
    `There is no verb "${wanted}".`,
    didYouMean(wanted, hasVerbs ? names : new Set([...names, ...nouns]), otherwise),
  );
}

function requireArgs(verb: Verb, args: readonly string[]): void {
  const wanted = verb.args ?? [];
  const least = wanted.filter((name) => !name.startsWith("[")).length;
  const most = wanted.some((name) => name.includes("…")) ? Number.POSITIVE_INFINITY : wanted.length;
  if (args.length >= least && args.length <= most) return;
  const what =
    args.length < least
      ? `${wanted.filter((name) => !name.startsWith("["))[args.length]} is missing`
      : `"${args[most]}" is one too many`;
  throw new MeshError("usage", `${verb.name}: ${what}.`, `Example: ${verb.examples[0]}`);
}

/** parseArgs' own sentence up to its first full stop, and the nearest flag that there is. */
function wrongFlag(verb: Verb, flags: readonly string[], error: unknown): MeshError {
  const why = error instanceof Error ? (error.message.split(/[.\n]/)[0] ?? "") : String(error);
  const flag = why.match(/^Unknown option '(--[^']+)'/)?.[1];
  const otherwise = `See \`claudemesh help ${verb.name}\`; words that begin with - go behind --.`;
  const hint = flag
    ? didYouMean(
        flag,
        flags.map((one) => `--${one}`),
        otherwise,
      )
    : otherwise;
  return new MeshError("usage", `${why}.`, hint);
}
