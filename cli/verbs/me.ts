/** me, me topics, me activity, me search: across all workspaces */
import { whole } from "../input.ts";
import { messageLine, table } from "../print.ts";
import type { Verb } from "../verb.ts";
import { peerLines } from "./peer.ts";
import { topicLine } from "./topic.ts";

const me: Verb = {
  name: "me",
  group: "me",
  summary: "who I am, and what is unread where",
  examples: ["claudemesh me"],
  async run({ daemon, print }) {
    const client = await daemon();
    const { account, workspaces } = await client.daemon.status({});
    const unread = workspaces.reduce((sum, workspace) => sum + workspace.unread, 0);
    const rows = workspaces.map(({ slug, link, unread }) => [
      `  ${slug}`,
      link,
      unread > 0 ? `${unread} unread` : "",
    ]);
    print({ account, unread, workspaces }, `${account.name}: ${unread} unread\n${table(rows)}`);
  },
};

const topics: Verb = {
  name: "me topics",
  summary: "the topics that I follow",
  examples: ["claudemesh me topics"],
  async run({ daemon, print }) {
    const client = await daemon();
    const topics = (await client.topic.list({})).topics.filter(({ joined }) => joined);
    print({ topics }, topics.length > 0 ? table(topics.map(topicLine)) : "You follow no topic yet.");
  },
};

const activity: Verb = {
  name: "me activity",
  options: { limit: { type: "string", value: "N", about: "the newest N; 20 without it" } },
  summary: "what was said lately, by me and to me",
  examples: ["claudemesh me activity --limit 50"],
  async run({ options, daemon, print }) {
    const client = await daemon();
    const { messages } = await client.message.history({ limit: whole(options.limit, "--limit") ?? 20 });
    print({ messages }, messages.length > 0 ? messages.map(messageLine).join("\n") : "Nothing was said yet.");
  },
};

const search: Verb = {
  name: "me search",
  args: ["QUERY…"],
  summary: "people, sessions and messages with these words",
  examples: ["claudemesh me search payments"],
  async run({ args, daemon, print }) {
    const query = args.join(" ");
    const client = await daemon();
    const [{ peers }, { messages }] = await Promise.all([
      client.peer.search({ query }),
      client.message.search({ query }),
    ]);
    const lines = [...peers.flatMap(peerLines), ...messages.map(messageLine)];
    print({ peers, messages }, lines.length > 0 ? lines.join("\n") : "Nothing fits.");
  },
};

export const meVerbs = [me, topics, activity, search];
