/** policy show, edit, test: the person's own rules about what reaches their sessions */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { MeshError } from "#protocol/errors.ts";
import { canAsk } from "../ask.ts";
import { oneOf, string, whole } from "../input.ts";
import { paint, safe } from "../print.ts";
import type { Verb } from "../verb.ts";
import { PRIORITIES } from "./message.ts";

const KINDS = ["direct", "session", "topic", "group", "everyone", "mention"] as const;

const show: Verb = {
  name: "policy show",
  summary: "the rules about what reaches your sessions, and where they stand",
  examples: ["claudemesh policy show", "claudemesh policy show --json"],
  async run({ daemon, print }) {
    const client = await daemon();
    const found = await client.policy.show({});
    const { path, trouble, policy, text } = found;
    const wrong = trouble === null ? [] : [paint("red", `The file isn't in force: ${safe(trouble)}`)];
    // Of a file that can't be read, what holds instead.
    const rules = trouble === null ? (text ?? "").trimEnd() : JSON.stringify(policy, null, 2);
    print(found, [paint("dim", `# ${path}`), ...wrong, rules].join("\n"));
  },
};

const edit: Verb = {
  name: "policy edit",
  summary: "change the rules in $EDITOR; they are checked before they count",
  examples: ["claudemesh policy edit", "EDITOR=nano claudemesh policy edit"],
  async run(context) {
    if (!canAsk(context))
      throw new MeshError(
        "usage",
        "There is no terminal to edit at.",
        "Edit the file: claudemesh policy show",
      );
    const client = await context.daemon();
    const { path, text } = await client.policy.show({});
    context.endless();
    const draft = `${path}.edit`;
    writeFileSync(draft, text ?? "", { mode: 0o600 });
    const edited = editedIn(draft);
    if (edited === text) {
      rmSync(draft, { force: true });
      context.print({ path, changed: false }, "Nothing has changed.");
      return;
    }
    try {
      await client.policy.save({ text: edited });
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      const kept = `The rules are as before; yours are in ${draft}.`;
      throw new MeshError(error.code, error.message, [error.hint, kept].filter(Boolean).join(" "));
    }
    rmSync(draft, { force: true });
    context.print({ path, changed: true }, "The new rules are in force.");
  },
};

/** What the person has made of it. @throws MeshError refused where the editor failed */
function editedIn(draft: string): string {
  const editor = process.env.VISUAL || process.env.EDITOR || "vi";
  // As git does: the variable may hold flags.
  const { status, error } = spawnSync("/bin/sh", ["-c", `${editor} "$1"`, "sh", draft], { stdio: "inherit" });
  if (status === 0) return readFileSync(draft, "utf8");
  rmSync(draft, { force: true });
  throw new MeshError(
    "refused",
    `${editor} ended with ${error?.message ?? status}; nothing has changed.`,
    "Set $EDITOR to an editor that is here.",
  );
}

const test: Verb = {
  name: "policy test",
  options: {
    from: { type: "string", value: "WHO", about: "a member, or a session of theirs: alice/payments" },
    to: { type: "string", value: "SESSION", about: "a session of mine" },
    kind: { type: "string", value: "KIND", values: KINDS, about: "what kind of message" },
    priority: { type: "string", value: "P", values: PRIORITIES, about: "how urgent it is" },
    hops: { type: "string", value: "N", about: "sessions that it came through with nobody typing" },
    at: {
      type: "string",
      value: "TIME",
      about: "when it comes: 2026-03-01T23:30, in local time; now without it",
    },
  },
  summary: "what would become of a message, and which rule decides",
  examples: [
    "claudemesh policy test --from alice/payments --to payments",
    "claudemesh policy test --from carol --kind topic --at 2026-03-01T23:30",
  ],
  async run({ options, workspace, daemon, print }) {
    const from = string(options.from);
    if (from === undefined)
      throw new MeshError("usage", "policy test: --from is missing.", `Example: ${test.examples[0]}`);
    const client = await daemon();
    const found = await client.policy.test({
      workspace,
      from,
      to: string(options.to),
      kind: oneOf(options.kind, "--kind", KINDS),
      priority: oneOf(options.priority, "--priority", PRIORITIES),
      hops: whole(options.hops, "--hops"),
      at: timeOf(string(options.at)),
    });
    const { outcome, rule, reason, until } = found;
    const why = reason === null ? "" : `: ${safe(reason)}`;
    const when = until === null ? "" : ` (until ${new Date(until).toLocaleString()})`;
    print(found, `${outcome}, by ${rule}${why}${when}`);
  },
};

/** Local, unless it says where. @throws MeshError usage */
function timeOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new MeshError("usage", `--at ${text} is not a time.`, "Write it like 2026-03-01T23:30.");
}

export const policyVerbs = [show, edit, test];
