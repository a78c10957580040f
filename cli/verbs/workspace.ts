/** workspace create, list, use, info, members, role, remove, rotate, rename, leave, delete */
import type { Client } from "#protocol/registry.ts";
import { confirm } from "../confirm.ts";
import { oneOf } from "../input.ts";
import { dot, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

const create: Verb = {
  name: "workspace create",
  args: ["NAME"],
  summary: "make a workspace, which you then own",
  examples: ["claudemesh workspace create acme"],
  async run({ args, daemon, print }) {
    const client = await daemon();
    const made = await client.workspace.create({ name: args[0] ?? "" });
    print(made, `made ${made.slug}. Invite somebody: claudemesh invite create --workspace ${made.slug}`);
  },
};

const list: Verb = {
  name: "workspace list",
  aliases: ["workspaces"],
  summary: "the workspaces you are in",
  examples: ["claudemesh workspace list --json"],
  async run({ daemon, print }) {
    const client = await daemon();
    const { workspaces } = await client.workspace.list({});
    const rows = workspaces.map(({ slug, role, link, members, unread, used }) => [
      used ? "*" : " ",
      slug,
      role ?? "joining",
      link,
      `${members} member${members === 1 ? "" : "s"}`,
      unread > 0 ? `${unread} unread` : "",
    ]);
    print({ workspaces }, table(rows));
  },
};

const use: Verb = {
  name: "workspace use",
  args: ["WORKSPACE"],
  summary: "choose where writes go without --workspace",
  examples: ["claudemesh workspace use acme"],
  async run({ args, daemon, print }) {
    const client = await daemon();
    const used = await client.workspace.use({ workspace: args[0] ?? "" });
    print(used, `writes go to ${used.slug} now`);
  },
};

const info: Verb = {
  name: "workspace info",
  args: ["[WORKSPACE]"],
  summary: "one workspace in detail",
  examples: ["claudemesh workspace info acme"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const found = await client.workspace.info({ workspace: args[0] ?? workspace });
    const rows = Object.entries(found).map(([key, value]) => [
      key,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]);
    print(found, table(rows));
  },
};

const leave: Verb = {
  name: "workspace leave",
  args: ["WORKSPACE"],
  summary: "leave a workspace; its records on this machine go",
  examples: ["claudemesh workspace leave acme --yes"],
  async run(context) {
    const workspace = context.args[0] ?? "";
    await confirm(context, `Leaving ${workspace} deletes its messages on this machine.`);
    const client = await context.daemon();
    const left = await client.workspace.leave({ workspace });
    context.print(left, `left ${left.slug}`);
  },
};

const members: Verb = {
  name: "workspace members",
  args: ["[WORKSPACE]"],
  summary: "who is in it, with their roles",
  examples: ["claudemesh workspace members acme"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const { members } = await client.workspace.members({ workspace: args[0] ?? workspace });
    const rows = members.map(({ name, role, you, online, invitedBy }) => [
      `${dot(online)} ${safe(name)}${you ? " (you)" : ""}`,
      role,
      invitedBy === null ? "" : `invited by ${safe(invitedBy)}`,
    ]);
    print({ members }, table(rows));
  },
};

const remove: Verb = {
  name: "workspace remove",
  args: ["MEMBER"],
  summary: "shut a member out; all open invites are void then",
  examples: ["claudemesh workspace remove mallory --yes"],
  async run(context) {
    const member = context.args[0] ?? "";
    await confirm(context, `Removing ${member} shuts them out, and makes all open invites void.`);
    const client = await context.daemon();
    const removed = await client.workspace.remove({ workspace: context.workspace, member });
    context.print(removed, `${safe(removed.name)} is no longer in ${removed.workspace}`);
  },
};

const ROLES = ["owner", "admin", "member", "guest"] as const;

const role: Verb = {
  name: "workspace role",
  args: ["MEMBER", "ROLE"],
  summary: "make somebody admin, member or guest; offer them the workspace, or take it over",
  examples: ["claudemesh workspace role bob admin", "claudemesh workspace role bob owner"],
  async run({ args, workspace, daemon, print }) {
    const [member = "", wanted] = args;
    const next = oneOf(wanted, "ROLE", ROLES);
    const client = await daemon();
    const changed = await client.workspace.role({ workspace, member, role: next ?? "member" });
    print(changed, roleText(changed));
  },
};

function roleText({ name, role, workspace, outcome }: Awaited<ReturnType<Client["workspace"]["role"]>>) {
  switch (outcome) {
    case "offered":
      return `${workspace} is offered to ${safe(name)}, who takes it with: claudemesh workspace role me owner`;
    case "taken":
      return `${workspace} is yours now`;
    case "withdrawn":
      return `${workspace} stays yours; nobody is offered it`;
    case "changed":
      return `${safe(name)} is ${role} in ${workspace}`;
  }
}

const rotate: Verb = {
  name: "workspace rotate",
  args: ["[WORKSPACE]"],
  summary: "seal under a new key from now on",
  examples: ["claudemesh workspace rotate acme"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const rotated = await client.workspace.rotate({ workspace: args[0] ?? workspace });
    print(rotated, `${rotated.slug} is at key ${rotated.epoch}`);
  },
};

const rename: Verb = {
  name: "workspace rename",
  args: ["[WORKSPACE]", "NEW"],
  summary: "its name on this machine; colleagues keep theirs",
  examples: ["claudemesh workspace rename acme acme-corp"],
  async run({ args, workspace, daemon, print }) {
    const name = args.at(-1) ?? "";
    const client = await daemon();
    const renamed = await client.workspace.rename({ workspace: args.length > 1 ? args[0] : workspace, name });
    print(renamed, `it is ${renamed.slug} here now`);
  },
};

const erase: Verb = {
  name: "workspace delete",
  args: ["WORKSPACE"],
  summary: "delete a workspace of yours that nobody else is in",
  examples: ["claudemesh workspace delete acme --yes"],
  async run(context) {
    const workspace = context.args[0] ?? "";
    await confirm(
      context,
      `Deleting ${workspace} deletes its messages on this machine, and nobody else has them.`,
    );
    const client = await context.daemon();
    const deleted = await client.workspace.delete({ workspace });
    context.print(deleted, `deleted ${deleted.slug}`);
  },
};

export const workspaceVerbs = [create, list, use, info, members, role, remove, rotate, rename, leave, erase];
