/** Completions for bash, zsh and fish: the registry as tables in each shell's own words, so a Tab starts no process. */
import { GLOBAL_FLAGS } from "./flags.ts";
import type { Flag, Verb } from "./verb.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

type Row = { key: string; words: readonly string[] };
type Tables = {
  /** What may stand first. */
  first: readonly string[];
  /** Behind a noun, or behind a verb whose word has listed values. */
  next: readonly Row[];
  /** Of a verb, by each of its names, without those that every verb takes. */
  flags: readonly Row[];
  globals: readonly string[];
  /** Flags with a value behind them; with listed values also in `values`. */
  takers: readonly string[];
  values: readonly Row[];
};

export function completionScript(shell: Shell, verbs: readonly Verb[]): string {
  return { bash, zsh, fish }[shell](tablesOf(verbs));
}

function tablesOf(verbs: readonly Verb[]): Tables {
  const named = verbs.flatMap((verb) => [verb.name, ...(verb.aliases ?? [])].map((name) => ({ name, verb })));
  const old = named.filter(({ name }) => name.startsWith("workspace "));
  const all = [...named, ...old.map(({ name, verb }) => ({ name: name.replace("workspace", "mesh"), verb }))];
  const flagsOf = (flags: Readonly<Record<string, Flag>>) => Object.keys(flags).map((flag) => `--${flag}`);
  const flags = [GLOBAL_FLAGS, ...verbs.map(({ options = {} }) => options)].flatMap(Object.entries<Flag>);
  return {
    first: distinct(all.map(({ name }) => name.split(" ")[0] ?? "")),
    next: merged([
      ...all.flatMap(({ name }) => {
        const [noun = "", verb] = name.split(" ");
        return verb === undefined ? [] : [{ key: noun, words: [verb] }];
      }),
      ...all.map(({ name, verb }) => ({ key: name, words: listedWords(verb) })),
    ]),
    flags: merged(all.map(({ name, verb }) => ({ key: name, words: flagsOf(verb.options ?? {}) }))),
    globals: flagsOf(GLOBAL_FLAGS),
    takers: distinct(flags.filter(([, { type }]) => type === "string").map(([flag]) => `--${flag}`)),
    values: merged(flags.map(([flag, { values = [] }]) => ({ key: `--${flag}`, words: values }))),
  };
}

/** `session status idle|working|dnd`: the values are its word's name. */
function listedWords({ args = [] }: Verb): string[] {
  const [first = ""] = args;
  return first.includes("|") ? first.split("|") : [];
}

function distinct(words: readonly string[]): string[] {
  return [...new Set(words)];
}

/** One row a key, without empty ones. */
function merged(rows: readonly Row[]): Row[] {
  const found = new Map<string, string[]>();
  for (const { key, words } of rows)
    if (words.length > 0) found.set(key, distinct([...(found.get(key) ?? []), ...words]));
  return [...found].map(([key, words]) => ({ key, words }));
}

/** What bash and zsh write alike: from `prev`, `cur` and `given`, the words so far without flags, to `list`. */
function choice({ first, next, flags, globals, takers, values }: Tables): string {
  const row = (pattern: string, words: readonly string[]) => `      ${pattern}) list="${words.join(" ")}" ;;`;
  return `  case "$prev" in
${values.map(({ key, words }) => row(key, words)).join("\n")}
      ${takers.join("|")}) return 0 ;;
  esac
  if [[ -z "$list" && "$cur" == -* ]]; then
    case "$given " in
${flags.map(({ key, words }) => row(`"${key} "*`, words)).join("\n")}
    esac
    list="$list ${globals.join(" ")}"
  elif [[ -z "$list" ]]; then
    case "$given" in
${row('""', first)}
${next.map(({ key, words }) => row(`"${key}"`, words)).join("\n")}
    esac
  fi`;
}

/** The words so far, one space apart, into `given`; `word` goes over them. */
function collect({ takers }: Tables): string {
  return `    if [[ -n "$skip" ]]; then skip=""; continue; fi
    case "$word" in
      ${takers.join("|")}) skip=1 ;;
      -*) ;;
      *) given="\${given:+$given }$word" ;;
    esac`;
}

function bash(tables: Tables): string {
  return `# bash completion for claudemesh. In ~/.bashrc: eval "$(claudemesh completions bash)"
_claudemesh() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" given="" list="" skip="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${collect(tables)}
  done
${choice(tables)}
  COMPREPLY=($(compgen -W "$list" -- "$cur"))
}
complete -F _claudemesh claudemesh
`;
}

function zsh(tables: Tables): string {
  return `#compdef claudemesh
# zsh completion for claudemesh. In ~/.zshrc, behind compinit: source <(claudemesh completions zsh)
_claudemesh() {
  local cur="\${words[CURRENT]}" prev="\${words[CURRENT-1]}" given="" list="" skip="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
${collect(tables)}
  done
${choice(tables)}
  compadd -- \${=list}
}
compdef _claudemesh claudemesh
`;
}

function fish({ first, next, flags, globals, takers, values }: Tables): string {
  const print = (words: readonly string[]) => `printf '%s\\n' ${words.join(" ")}`;
  const rows = (table: readonly Row[], end = "") =>
    table.map(({ key, words }) => `    case '${key}${end}'\n      ${print(words)}`).join("\n");
  return `# fish completion for claudemesh. In ~/.config/fish/config.fish: claudemesh completions fish | source
function __claudemesh_list
  set -l tokens (commandline -opc)
  set -l prev $tokens[-1]
  set -e tokens[1]
  set -l given
  set -l skip 0
  for word in $tokens
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
    case ${takers.join(" ")}
      set skip 1
    case '-*'
    case '*'
      set given $given $word
    end
  end
  if test $skip = 1
    switch $prev
${rows(values)}
    end
    return
  end
  if string match -q -- '-*' (commandline -ct)
    ${print(globals)}
    switch "$given "
${rows(flags, " *")}
    end
    return
  end
  switch "$given"
    case ''
      ${print(first)}
${rows(next)}
  end
end
complete -c claudemesh -f -a '(__claudemesh_list)'
`;
}
