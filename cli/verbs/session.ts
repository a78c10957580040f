/** session list, name, summary, status, stats: this session's face to colleagues */
import { oneOf } from "../input.ts";
import { clock, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

const STATUSES = ["idle", "working", "dnd"] as const;

const list: Verb = {
  name: "session list",
  aliases: ["sessions"],
  summary: "the sessions on this machine",
  examples: ["claudemesh session list"],
  async run({ daemon, print }) {
    const client = await daemon();
    const { sessions } = await client.session.list({});
    const rows = sessions.map(({ name, status, reach, trouble, summary, cwd, since }) => [
      name,
      status,
      trouble === null ? reach : `${reach}: ${trouble}`,
      `since ${clock(since)}`,
      safe(cwd ?? ""),
      safe(summary ?? ""),
    ]);
    print(
      { sessions },
      rows.length > 0
        ? table(rows)
        : "No session is attached. A session attaches itself once Claude Code starts claudemesh mcp-serve.",
    );
  },
};

const name: Verb = {
  name: "session name",
  args: ["NEW"],
  summary: "another name for this session; what is sent to the old one still comes",
  examples: ["claudemesh session name payments", "claudemesh session name payments --session app-2"],
  async run({ args, daemon, print }) {
    const client = await daemon();
    const face = await client.session.name({ name: args[0] ?? "" });
    print(face, `this session is ${face.address} now`);
  },
};

const summary: Verb = {
  name: "session summary",
  args: ["TEXT…"],
  summary: "what this session works on, for colleagues to see",
  examples: ['claudemesh session summary "refunds: waiting for review"', 'claudemesh session summary ""'],
  async run({ args, daemon, print }) {
    const client = await daemon();
    const face = await client.session.summary({ text: args.join(" ") });
    print(face, face.summary === null ? "no summary" : safe(face.summary));
  },
};

const status: Verb = {
  name: "session status",
  args: ["idle|working|dnd"],
  summary: "whether this session may be disturbed",
  examples: ["claudemesh session status dnd"],
  async run({ args, daemon, print }) {
    const wanted = oneOf(args[0], "session status", STATUSES) ?? "idle";
    const client = await daemon();
    const face = await client.session.status({ status: wanted });
    print(face, `${face.address} is ${face.status}`);
  },
};

const stats: Verb = {
  name: "session stats",
  summary: "what this session has sent and was sent",
  examples: ["claudemesh session stats --json"],
  async run({ daemon, print }) {
    const client = await daemon();
    const stats = await client.session.stats({});
    const { address, since, sent, received, unread } = stats;
    print(stats, `${address}: ${sent} sent, ${received} received, ${unread} unread, here since ${since}`);
  },
};

export const sessionVerbs = [list, name, summary, status, stats];
