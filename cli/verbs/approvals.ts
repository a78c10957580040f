/** approvals list, show, approve, deny */
import type { Approval } from "#protocol/features/approval.ts";
import type { Client } from "#protocol/registry.ts";
import { clock, paint, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

/** What a verb in a session says while it waits. */
export function heldText(approval: Approval): string {
  const id = approval.id.slice(-8);
  return `waiting until ${clock(approval.until)} for the person's yes: ${what(approval)}
In a terminal of their own, on any of their machines: claudemesh approvals approve ${id} (or deny)`;
}

/** As one would type it. */
function what({ verb, params, workspace }: Approval): string {
  const flags = Object.entries(params).map(([name, value]) => `${name}: ${value}`);
  return safe([verb, ...(workspace ? [`in ${workspace}`] : []), ...flags].join("  ")).replaceAll("\n", " ");
}

function from({ session: { id, name } }: Approval): string {
  return safe(name ?? id ?? "a session");
}

function line(approval: Approval): string[] {
  const { id, scope, at, device } = approval;
  return [
    id.slice(-8),
    clock(at),
    `${from(approval)} on ${safe(device)}`,
    paint("yellow", scope),
    what(approval),
  ];
}

function details(approval: Approval): string {
  const { id, state, verb, scope, workspace, session, device, at, until, params } = approval;
  const rows = [
    ["id", id],
    ["state", state],
    ["does", `${verb} (${scope})`],
    ["workspace", workspace ?? "none"],
    ...Object.entries(params),
    ["asked by", `${from(approval)}${session.id ? ` (session ${session.id})` : ""}`],
    ["on", device],
    ["at", at],
    ["until", until],
  ];
  return table(rows.map(([name = "", value = ""]) => [`  ${name}`, safe(value)]));
}

const list: Verb = {
  name: "approvals list",
  aliases: ["approvals"],
  summary: "what sessions want to do and may not without your yes, here and on your other machines",
  examples: ["claudemesh approvals list"],
  async run({ daemon, print }) {
    const client = await daemon();
    const { approvals } = await client.approval.list({});
    print({ approvals }, approvals.length > 0 ? table(approvals.map(line)) : "Nothing waits for you.");
  },
};

const show: Verb = {
  name: "approvals show",
  args: ["ID"],
  summary: "one of them, with everything that it would do",
  examples: ["claudemesh approvals show 3f2a91bc"],
  async run({ args, daemon, print }) {
    const client = await daemon();
    const found = await client.approval.show({ id: args[0] ?? "" });
    print(found, details(found));
  },
};

function answering(verb: "approve" | "deny", summary: string): Verb {
  const ask = (client: Client, id: string) => client.approval[verb]({ id });
  return {
    name: `approvals ${verb}`,
    args: ["ID"],
    summary,
    examples: [`claudemesh approvals ${verb} 3f2a91bc`],
    async run({ args, daemon, print }) {
      const decided = await ask(await daemon(), args[0] ?? "");
      print(decided, `${decided.state}: ${what(decided)}`);
    },
  };
}

export const approvalVerbs = [
  list,
  show,
  answering("approve", "let it be done, as it was asked and once; never from inside of a session"),
  answering("deny", "don't let it be done"),
];
