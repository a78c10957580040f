/** workspace create, list, use, info, leave; invite create; join */
import { MeshError } from "#protocol/errors.ts";
import { duration, oneOf, string, whole } from "../input.ts";
import { paint, table } from "../print.ts";
import type { Verb } from "../verb.ts";

const ROLES = ["member", "admin", "guest"] as const;

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
  async run({ args, options, daemon, print }) {
    const workspace = args[0] ?? "";
    if (options.yes !== true) {
      throw new MeshError(
        "usage",
        `Leaving ${workspace} deletes its messages on this machine.`,
        "Add --yes if you mean it.",
      );
    }
    const client = await daemon();
    const left = await client.workspace.leave({ workspace });
    print(left, `left ${left.slug}`);
  },
};

const inviteCreate: Verb = {
  name: "invite create",
  aliases: ["share"],
  options: {
    role: { type: "string", value: "R", values: ROLES, about: "what whoever joins by it becomes" },
    uses: { type: "string", value: "N", about: "how many may join by it; 1 without it" },
    expires: { type: "string", value: "T", about: "how long it is good, such as 24h; 7d without it" },
  },
  summary: "a link that lets somebody in (once, for 7 days)",
  examples: ["claudemesh invite create", "claudemesh invite create --uses 5 --expires 24h --role guest"],
  async run({ options, workspace, daemon, print }) {
    const expires = string(options.expires);
    const client = await daemon();
    const made = await client.invite.create({
      workspace,
      role: oneOf(options.role, "--role", ROLES),
      uses: whole(options.uses, "--uses"),
      expiresInMs: expires === undefined ? undefined : duration(expires, "--expires"),
    });
    const times = made.uses === 1 ? "once" : `${made.uses} times`;
    print(
      made,
      `${made.url}\n\nGood for ${made.role}, ${times}, until ${made.expiresAt}. The part behind # is the secret:\nsend the link over a channel that you trust. Your colleague runs: claudemesh join LINK`,
    );
  },
};

const join: Verb = {
  name: "join",
  group: "invite",
  args: ["LINK"],
  summary: "join a workspace by its invite link (claudemesh LINK does too)",
  examples: ['claudemesh join "https://broker.example/i/Ab3dE6gh#…"'],
  async run({ args, timeoutMs, daemon, waiting, print }) {
    const client = await daemon();
    const joining = client.invite.accept({ url: args[0] ?? "", waitMs: timeoutMs });
    const joined = await waiting("joining", joining);
    const note = joined.waiting
      ? "\nNobody who could hand over the workspace's key is online; it comes by itself as soon as somebody is."
      : `\nSee who is there: ${paint("bold", "claudemesh peers")}`;
    print(joined, `joined ${joined.slug} as ${joined.member.name} (${joined.member.role})${note}`);
  },
};

export const workspaceVerbs = [create, list, use, info, leave, inviteCreate, join];
