/** group join, leave, list */
import type { Group } from "#protocol/features/group.ts";
import { string } from "../input.ts";
import { safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

function line({ name, workspace, members }: Group): string[] {
  const who = members.map((one) => safe(one.role ? `${one.name} (${one.role})` : one.name));
  return [`@${name}`, who.join(", "), workspace];
}

const join: Verb = {
  name: "group join",
  args: ["GROUP"],
  options: { role: { type: "string", value: "TEXT", about: "what you do there" } },
  summary: "answer to @GROUP",
  examples: ["claudemesh group join backend --role reviewer"],
  async run({ args, options, workspace, daemon, print }) {
    const client = await daemon();
    const group = await client.group.join({ workspace, group: args[0] ?? "", role: string(options.role) });
    print(group, `in @${group.name} of ${group.workspace}`);
  },
};

const leave: Verb = {
  name: "group leave",
  args: ["GROUP"],
  summary: "no longer answer to @GROUP",
  examples: ["claudemesh group leave backend"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const group = await client.group.leave({ workspace, group: args[0] ?? "" });
    print(group, `out of @${group.name} of ${group.workspace}`);
  },
};

const list: Verb = {
  name: "group list",
  aliases: ["groups"],
  summary: "the groups here, and who is in them",
  examples: ["claudemesh group list"],
  async run({ workspace, daemon, print }) {
    const client = await daemon();
    const { groups } = await client.group.list({ workspace });
    print(
      { groups },
      groups.length > 0
        ? table(groups.map(line))
        : "No groups yet. Be the first: claudemesh group join backend",
    );
  },
};

export const groupVerbs = [join, leave, list];
