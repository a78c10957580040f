/** What `claudemesh install` and `uninstall` would do here and now. Nothing is written by asking. */
import { launcherPath } from "#adapters/start-daemon.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Plan, Step } from "../step.ts";
import { isAsLeft, withoutUs } from "./before.ts";
import { clientAt } from "./client.ts";
import { addStep, holdsOurServer, removeStep } from "./client-step.ts";
import { isSame, lookAt, textOf } from "./file-edit.ts";
import { forgetStep, installStep, type OwnedEdit, uninstallStep } from "./files-step.ts";
import { type Entry, type Kind, readJournal } from "./journal.ts";
import { isStrict, parseObject, valueAt } from "./json-text.ts";
import { claudePlaces, isSameFile, onPath } from "./places.ts";
import { TOO_WIDE } from "./rules.ts";
import { serverIn, withServer } from "./servers.ts";
import { type Wanted as InSettings, withOurs } from "./settings.ts";
import { skillText } from "./skill.ts";

/** Parts that aren't wanted are left as they are, there or not. */
export type Wanted = Omit<InSettings, "launcher"> & { skill: boolean; mcp: boolean };

/** @param others what goes in besides Claude Code's files, and after them: a service, say */
export function planInstall(wanted: Wanted, others: readonly Step[], launcher = launcherPath): Plan {
  const places = claudePlaces();
  const entries = readJournal();
  const entryOf = (path: string) => entries.find((one) => one.path === path);
  const edits: OwnedEdit[] = [];
  const isInSettings = wanted.hooks || wanted.permissions || wanted.statusLine;
  if (isInSettings)
    edits.push(settingsEdit(places.settings, entryOf(places.settings), { ...wanted, launcher }));
  if (wanted.skill) edits.push(...skillEdit(places.skill, entryOf(places.skill)));
  const client = onPath("claude");
  const servers: Step[] = [];
  if (wanted.mcp) {
    const now = lookAt(places.servers);
    const { text, mark } = textOf(now.bytes, now.path);
    if (serverIn(text, launcher, now.path) === "current") {
      // Nothing to do.
    } else if (client) servers.push(addStep(clientAt(client), now.path, launcher));
    else {
      const entry = entryOf(now.path);
      const after = Buffer.from(mark + withServer(text, launcher));
      const before = withoutUs("servers", now, entry);
      edits.push({ now, kind: "servers", before, after, rules: [], what: "the MCP server" });
    }
  }
  return {
    steps: [installStep(edits), ...servers, ...others].filter(({ changes }) => changes.length > 0),
    remarks: [
      ...clientRemark(client, wanted),
      ...pathRemark(launcher),
      ...(isInSettings ? settingsRemarks(places.settings) : []),
    ],
  };
}

/** Takes out what the journal names, and at today's places what is ours by its shape. */
export function planUninstall(others: readonly Step[]): Plan {
  const places = claudePlaces();
  const known = readJournal();
  const kinds: readonly Kind[] = ["settings", "skill", "servers"];
  const unknown = kinds
    .map((kind) => ({ kind, path: places[kind], entry: undefined }))
    .filter(({ path }) => !known.some((one) => one.path === path));
  const remarks: string[] = [];
  const edits: OwnedEdit[] = [];
  const servers: Step[] = [];
  const client = onPath("claude");
  for (const { kind, path, entry } of [
    ...known.map((one) => ({ kind: one.kind, path: one.path, entry: one })),
    ...unknown,
  ]) {
    const now = lookAt(path);
    const after = withoutUs(kind, now, entry);
    if (kind === "skill" && entry && now.bytes && !isAsLeft(now, entry))
      remarks.push(`${path} was changed by somebody, and stays; remove it if you don't want it.`);
    // The client keeps no other list than today's.
    const isClients = kind === "servers" && path === places.servers && !(entry && isAsLeft(now, entry));
    if (client && isClients && holdsOurServer(now)) servers.push(removeStep(clientAt(client), path));
    else edits.push({ now, kind, before: null, after, rules: [], what: WITHOUT[kind] });
  }
  const steps = [...others, uninstallStep(edits), ...servers].filter(({ changes }) => changes.length > 0);
  return { steps: known.length > 0 || steps.length > 0 ? [...steps, forgetStep()] : [], remarks };
}

/** As the client names what `install/plugin/` holds. */
const PLUGIN = "claudemesh@claudemesh";

const WITHOUT: Readonly<Record<Kind, string>> = {
  settings: "without hooks, permissions and status line of claudemesh",
  skill: "without the skill",
  servers: "without the MCP server",
};

function settingsEdit(path: string, entry: Entry | undefined, wanted: InSettings): OwnedEdit {
  const now = lookAt(path);
  const { text, mark } = textOf(now.bytes, path);
  const former = entry?.rules ?? [];
  const made = withOurs(text, wanted, former, path);
  const after = made.text === text ? now.bytes : Buffer.from(mark + made.text);
  const stillOurs = former.filter((rule) => !made.rules.includes(rule));
  const what = made.added.join("; ") || "what an older claudemesh wrote goes";
  const before = withoutUs("settings", now, entry);
  return { now, kind: "settings", before, after, rules: [...stillOurs, ...made.rules], what };
}

/** @throws MeshError conflict for somebody else's skill of this name */
function skillEdit(path: string, entry: Entry | undefined): OwnedEdit[] {
  const now = lookAt(path);
  const after = Buffer.from(skillText());
  if (isSame(now.bytes, after)) return [];
  if (now.bytes !== null && !(entry && isAsLeft(now, entry)))
    throw new MeshError(
      "conflict",
      `Another skill, or one that was changed, is in ${path}.`,
      "Move it away, or leave ours out with --no-skill.",
    );
  const before = withoutUs("skill", now, entry);
  return [
    { now, kind: "skill", before, after, rules: [], what: "the skill: how and when to write to others" },
  ];
}

function clientRemark(client: string | null, { mcp }: Wanted): string[] {
  return mcp && client === null
    ? ["There is no `claude` on PATH: the MCP server is for the one that comes."]
    : [];
}

/** Sessions call a bare `claudemesh`. */
function pathRemark(launcher: string): string[] {
  const found = onPath("claudemesh");
  if (found === null)
    return [
      `There is no "claudemesh" on PATH, and sessions call it by that name: ln -s '${launcher}' ~/.local/bin/`,
    ];
  return isSameFile(found, launcher)
    ? []
    : [`Sessions call ${found}, the claudemesh that is first on PATH, and not ${launcher}.`];
}

function settingsRemarks(path: string): string[] {
  const { text } = textOf(lookAt(path).bytes, path);
  const settings = parseObject(text, path);
  const allowed = valueAt(settings, ["permissions", "allow"]);
  const wide = Array.isArray(allowed) ? TOO_WIDE.filter((rule) => allowed.includes(rule)) : [];
  const unread = `Claude Code 2.1 doesn't load ${path}: it has comments or commas too many, so nothing in it counts.`;
  return [
    ...(isStrict(text) ? [] : [unread]),
    ...wide.map((rule) => `${path} allows ${rule}: sessions may share, invite and grant without asking you.`),
    ...(valueAt(settings, ["enabledPlugins", PLUGIN]) === true
      ? [`The plugin ${PLUGIN} is on as well, so all of it is there twice: claude plugin uninstall ${PLUGIN}`]
      : []),
    ...(settings.disableAllHooks === true ? [`${path} turns all hooks off (disableAllHooks).`] : []),
  ];
}
