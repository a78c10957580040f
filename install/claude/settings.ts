/** Our entries in Claude Code's settings.json: hooks, permission rules, the status line. Texts in, texts out. */
import { isDeepStrictEqual } from "node:util";
import { MeshError } from "#protocol/errors.ts";
import { guarded, HOOKS, hookGroup, isOurCommand } from "./hooks.ts";
import {
  append,
  isList,
  isObject,
  type Json,
  type JsonObject,
  type Path,
  parseObject,
  put,
  remove,
  valueAt,
} from "./json-text.ts";
import { RULES, verbIn } from "./rules.ts";

export type Wanted = { launcher: string; hooks: boolean; permissions: boolean; statusLine: boolean };

/** Rules that an install added: those of an older claudemesh that this one doesn't want go. */
type Former = readonly string[];

const STATUS_LINE: Path = ["statusLine"];
const ALLOW: Path = ["permissions", "allow"];

/** The rules that weren't there before, and in words all that is new. */
export type Made = { text: string; rules: readonly string[]; added: readonly string[] };

/** The settings with our entries in them. @throws MeshError bad_data, conflict */
export function withOurs(text: string, wanted: Wanted, former: Former, name: string): Made {
  let made = text;
  const added: string[] = [];
  const now = () => parseObject(made, name);
  insistOnShape(now(), name);
  if (wanted.hooks) {
    const groups = HOOKS.map((hook) => ({
      event: hook.event,
      group: hookGroup(hook, (words) => guarded(wanted.launcher, words)),
    }));
    const isWanted = (event: string, command: Json) =>
      groups.some(
        (one) => one.event === event && isDeepStrictEqual(valueAt(one.group, ["hooks", 0]), command),
      );
    made = withoutHooks(made, name, (event, hook) => isOurHook(hook) && !isWanted(event, hook));
    const there = hooksOf(now());
    const missing = groups.filter(
      ({ event }) => !there.some((one) => one.event === event && isWanted(event, one.hook)),
    );
    for (const { event, group } of missing) made = append(made, ["hooks", event], group);
    if (missing.length > 0) added.push(`hooks for ${missing.map(({ event }) => event).join(", ")}`);
  }
  if (wanted.permissions)
    made = withoutRules(
      made,
      former.filter((rule) => !RULES.includes(rule)),
      name,
    );
  const allowed = valueAt(now(), ALLOW);
  const rules = wanted.permissions ? RULES.filter((rule) => !isList(allowed) || !allowed.includes(rule)) : [];
  for (const rule of rules) made = append(made, ALLOW, rule);
  if (rules.length > 0) added.push(`permission for ${rules.map(verbIn).join(", ")}`);
  const line = valueAt(now(), [...STATUS_LINE, "command"]);
  if (wanted.statusLine || isOurCommand(line)) {
    const withLine = withStatusLine(made, wanted.launcher, name);
    if (withLine !== made) added.push("the status line");
    made = withLine;
  }
  return { text: made, rules, added };
}

/** Without what is ours by its shape, and without `rules`; of `before` what was there stays, empty or not. */
export function withoutOurs(text: string, rules: readonly string[], before: string, name: string): string {
  let made = withoutHooks(text, name, (_event, hook) => isOurHook(hook));
  made = withoutRules(made, rules, name);
  if (isOurCommand(valueAt(parseObject(made, name), [...STATUS_LINE, "command"])))
    made = remove(made, STATUS_LINE);
  if (made === text) return text;
  const had = parseObject(before, name);
  const events = Object.keys(objectAt(parseObject(made, name), ["hooks"]));
  const mayGo = [...events.map((event) => ["hooks", event]), ["hooks"], ALLOW, ["permissions"]];
  for (const path of mayGo) {
    const value = valueAt(parseObject(made, name), path);
    const isEmpty = isList(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
    if (isEmpty && valueAt(had, path) === undefined) made = remove(made, path);
  }
  return made;
}

function withoutRules(text: string, rules: readonly string[], name: string): string {
  const allowed = valueAt(parseObject(text, name), ALLOW);
  const at = isList(allowed)
    ? allowed.findIndex((rule) => typeof rule === "string" && rules.includes(rule))
    : -1;
  return at < 0 ? text : withoutRules(remove(text, [...ALLOW, at]), rules, name);
}

type FoundHook = { event: string; group: number; at: number; hook: Json };

/** Every hook command, by its place. */
function hooksOf(settings: JsonObject): FoundHook[] {
  return Object.entries(objectAt(settings, ["hooks"])).flatMap(([event, groups]) =>
    (isList(groups) ? groups : []).flatMap((one, group) => {
      const hooks = valueAt(one, ["hooks"]);
      return (isList(hooks) ? hooks : []).map((hook, at) => ({ event, group, at, hook }));
    }),
  );
}

function isOurHook(hook: Json): boolean {
  return isOurCommand(valueAt(hook, ["command"]));
}

function withoutHooks(text: string, name: string, goes: (event: string, hook: Json) => boolean): string {
  const settings = parseObject(text, name);
  const found = hooksOf(settings).find(({ event, hook }) => goes(event, hook));
  if (!found) return text;
  const { event, group, at } = found;
  const siblings = valueAt(settings, ["hooks", event, group, "hooks"]);
  const isOnly = isList(siblings) && siblings.length === 1;
  const path: Path = ["hooks", event, group, ...(isOnly ? [] : ["hooks", at])];
  return withoutHooks(remove(text, path), name, goes);
}

function withStatusLine(text: string, launcher: string, name: string): string {
  const there = valueAt(parseObject(text, name), STATUS_LINE);
  if (there !== undefined && !isOurCommand(valueAt(there, ["command"])))
    throw new MeshError("conflict", `${name} has another status line.`, "Leave --status-line out.");
  const line = { type: "command", command: guarded(launcher, "statusline"), padding: 0 };
  return isDeepStrictEqual(there, line) ? text : put(text, STATUS_LINE, line);
}

function insistOnShape(settings: JsonObject, name: string): void {
  const wrong = (where: string, what: string) =>
    new MeshError("bad_data", `In ${name}, ${where} is no ${what}.`, "Mend it, and try again.");
  for (const key of ["hooks", "permissions"]) {
    if (settings[key] !== undefined && !isObject(settings[key])) throw wrong(key, "object");
  }
  const lists: Path[] = [...HOOKS.map(({ event }) => ["hooks", event]), ALLOW];
  for (const path of lists) {
    const value = valueAt(settings, path);
    if (value !== undefined && !isList(value)) throw wrong(path.join("."), "list");
  }
}

function objectAt(root: JsonObject, path: Path): JsonObject {
  const value = valueAt(root, path);
  return isObject(value) ? value : {};
}
