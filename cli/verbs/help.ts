/** help: one screen for everything, and a page with examples for each noun or verb. */
import { MeshError } from "#protocol/errors.ts";
import { didYouMean } from "#protocol/nearest.ts";
import { table } from "../print.ts";
import type { Verb } from "../verb.ts";

const HEAD = "claudemesh: your team's AI coding sessions, connected and end-to-end encrypted";
const GLOBAL = `Everywhere: --workspace W  --json  --quiet  --timeout 10s  --no-start  --yes
Addresses:  alice  alice/payments  alice/*  #topic  *  me
More:       claudemesh help NOUN`;

export function usageOf({ name, aliases, args = [], options = {} }: Verb): string {
  const flags = Object.entries(options).map(
    ([flag, { type }]) => `[--${flag}${type === "string" ? ` ${flag.toUpperCase()}` : ""}]`,
  );
  return ["claudemesh", aliases?.[0] ?? name, ...args, ...flags].join(" ");
}

export function helpPage(verbs: readonly Verb[], words: readonly string[]): string {
  if (words.length === 0) {
    const rows = verbs.map((verb) => [
      `  ${[verb.aliases?.[0] ?? verb.name, ...(verb.args ?? [])].join(" ")}`,
      verb.summary,
    ]);
    return `${HEAD}\n\n${table(rows)}\n\n${GLOBAL}`;
  }
  const wanted = words.join(" ");
  const found = verbs.filter(
    ({ name, aliases = [] }) => name === wanted || aliases.includes(wanted) || name.startsWith(`${wanted} `),
  );
  if (found.length === 0) {
    const names = verbs.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    throw new MeshError(
      "usage",
      `There is no verb "${wanted}".`,
      didYouMean(wanted, names, "See `claudemesh help`."),
    );
  }
  return found
    .map(
      (verb) =>
        `${usageOf(verb)}\n  ${verb.summary}\n${verb.examples.map((line) => `    ${line}`).join("\n")}`,
    )
    .join("\n\n");
}
