/** The generated blocks of docs/CLI.md. */
import { GLOBAL_FLAGS } from "#cli/flags.ts";
import { verbs } from "#cli/registry.ts";
import type { Flag, Verb } from "#cli/verb.ts";
import { flagAbout, flagUsage, rowsOf } from "#cli/verbs/help.ts";
import { methods } from "#protocol/registry.ts";
import { type Blocks, markdownTable } from "./blocks.ts";
import { errorTable } from "./errors.ts";

/** Verbs whose --json is the result of a method of another name. */
const ANSWERS: Readonly<Record<string, string>> = {
  up: "daemon.status",
  status: "daemon.status",
  whoami: "account.whoami",
  join: "invite.accept",
  "approvals list": "approval.list",
  "approvals show": "approval.show",
  "approvals approve": "approval.approve",
  "approvals deny": "approval.deny",
  "audit decisions": "approval.decisions",
};

export const cliBlocks: Blocks = {
  verbs: verbSections,
  "global flags": () => flagTable(GLOBAL_FLAGS),
  "exit codes": errorTable,
};

function verbSections(): string {
  return [...rowsOf(verbs)]
    .map(([row, its]) => `### ${row}\n\n${its.map(section).join("\n\n")}`)
    .join("\n\n");
}

function section(verb: Verb): string {
  const { name, aliases = [], args = [], options = {}, summary, examples } = verb;
  const usage = [name, ...aliases].map((one) => `\`claudemesh ${[one, ...args].join(" ")}\``).join(" or ");
  const flags = Object.keys(options).length > 0 ? `\n\n${flagTable(options)}` : "";
  const json = jsonOf(name);
  return `**${usage}** · ${summary}${json}${flags}\n\n${examples.map((line) => `    ${line}`).join("\n")}`;
}

function jsonOf(name: string): string {
  const method = ANSWERS[name] ?? name.replace(" ", ".");
  const [noun = "", verb = ""] = method.split(".");
  const known = Object.entries(methods).some(([one, its]) => one === noun && Object.hasOwn(its, verb));
  return known ? ` · [JSON](PROTOCOL.md#${noun}${verb.toLowerCase()})` : "";
}

function flagTable(flags: Readonly<Record<string, Flag>>): string {
  const rows = Object.entries(flags).map(([flag, one]) => [`\`${flagUsage(flag, one)}\``, flagAbout(one)]);
  return markdownTable(["flag", ""], rows);
}
