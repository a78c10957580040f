/** topic create, list, info, join, leave, add, remove, send, history, tail, members, mute */
import type { Topic } from "#protocol/features/topic.ts";
import { whole } from "../input.ts";
import { dot, messageLine, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";
import { awaited, goOn, LIST_OPTIONS, SEND_OPTIONS, sendParams } from "./message.ts";

export function topicLine(topic: Topic): string[] {
  const { name, joined, muted, unread, mentions, workspace } = topic;
  const standing = topic.private ? "private" : "joined";
  return [
    `#${name}`,
    joined ? (muted ? "muted" : standing) : "",
    unread > 0 ? `${unread} unread` : "",
    mentions > 0 ? `${mentions} for you` : "",
    workspace,
    ...(topic.members ? [topic.members.map(safe).join(", ")] : []),
  ];
}

const create: Verb = {
  name: "topic create",
  args: ["TOPIC"],
  options: {
    private: { type: "boolean", about: "only for those who are in it; guests can be" },
    members: { type: "string", value: "A,B", about: "who is in a private one, beside you" },
  },
  summary: "make a topic and join it",
  examples: [
    "claudemesh topic create deploys",
    "claudemesh topic create hiring --private --members alice,bob",
  ],
  async run({ args, options, workspace, daemon, print }) {
    const client = await daemon();
    const named = typeof options.members === "string" ? options.members.split(",") : [];
    const members = named.filter((name) => name !== "");
    const topic = await client.topic.create({
      workspace,
      topic: args[0] ?? "",
      private: options.private === true,
      ...(members.length > 0 ? { members } : {}),
    });
    print(topic, `made #${topic.name} in ${topic.workspace}${withMembers(topic)}`);
  },
};

/** add and remove differ in the one call. */
function changeMembers(verb: "add" | "remove", summary: string): Verb {
  return {
    name: `topic ${verb}`,
    args: ["TOPIC", "MEMBER…"],
    summary,
    examples: [`claudemesh topic ${verb} hiring carol`],
    async run({ args: [topic = "", ...members], workspace, daemon, print }) {
      const client = await daemon();
      const changed = await client.topic[verb]({ workspace, topic, members });
      print(changed, `#${changed.name} in ${changed.workspace}${withMembers(changed)}`);
    },
  };
}

function withMembers({ members }: Topic): string {
  return members ? `: ${members.map(safe).join(", ")}` : "";
}

const info: Verb = {
  name: "topic info",
  args: ["TOPIC"],
  summary: "a topic, and who is in a private one",
  examples: ["claudemesh topic info hiring"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const topic = await client.topic.info({ workspace, topic: args[0] ?? "" });
    const line = topicLine(topic).filter((part) => part !== "");
    print(topic, `${line.join("  ")}\nmade by ${safe(topic.createdBy)}`);
  },
};

/** join and leave differ in the one call. */
function change(verb: "join" | "leave", summary: string, done: string): Verb {
  return {
    name: `topic ${verb}`,
    args: ["TOPIC"],
    summary,
    examples: [`claudemesh topic ${verb} deploys`],
    async run({ args, workspace, daemon, print }) {
      const client = await daemon();
      const topic = await client.topic[verb]({ workspace, topic: args[0] ?? "" });
      print(topic, `${done} #${topic.name} in ${topic.workspace}`);
    },
  };
}

const mute: Verb = {
  name: "topic mute",
  args: ["TOPIC"],
  options: { off: { type: "boolean", about: "count it again" } },
  summary: "count nothing there as unread, except what names you",
  examples: ["claudemesh topic mute deploys", "claudemesh topic mute deploys --off"],
  async run({ args, options, workspace, daemon, print }) {
    const client = await daemon();
    const topic = await client.topic.mute({ workspace, topic: args[0] ?? "", muted: options.off !== true });
    print(topic, `${topic.muted ? "muted" : "no longer muted:"} #${topic.name} in ${topic.workspace}`);
  },
};

const members: Verb = {
  name: "topic members",
  args: ["TOPIC"],
  summary: "who follows a topic",
  examples: ["claudemesh topic members deploys"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const { members } = await client.topic.members({ workspace, topic: args[0] ?? "" });
    const lines = members.map(
      ({ name, you, online }) => `${dot(online)} ${safe(name)}${you ? " (you)" : ""}`,
    );
    print({ members }, lines.length > 0 ? lines.join("\n") : "Nobody follows it.");
  },
};

const list: Verb = {
  name: "topic list",
  aliases: ["topics"],
  summary: "the topics here, with what is unread",
  examples: ["claudemesh topic list"],
  async run({ workspace, daemon, print }) {
    const client = await daemon();
    const { topics } = await client.topic.list({ workspace });
    print(
      { topics },
      topics.length > 0
        ? table(topics.map(topicLine))
        : "No topics yet. Make one: claudemesh topic create deploys",
    );
  },
};

const send: Verb = {
  name: "topic send",
  args: ["TOPIC", "TEXT…"],
  options: SEND_OPTIONS,
  summary: "say something in a topic; - reads stdin",
  examples: ['claudemesh topic send deploys "1.4 is out"'],
  async run(context) {
    const [topic = "", ...words] = context.args;
    const params = await sendParams(context, words);
    const daemon = await context.daemon();
    const sent = await awaited(context, daemon.topic.send({ ...params, topic }));
    context.print(sent, `${sent.state}  ${sent.to}  (${sent.id.slice(-8)})`);
  },
};

const history: Verb = {
  name: "topic history",
  args: ["TOPIC"],
  options: LIST_OPTIONS,
  summary: "what was said in a topic, oldest first",
  examples: ["claudemesh topic history deploys --limit 20"],
  async run({ args, options, workspace, daemon, print }) {
    const client = await daemon();
    const { messages } = await client.topic.history({
      workspace,
      topic: args[0] ?? "",
      limit: whole(options.limit, "--limit"),
      markRead: options["mark-read"] === true,
    });
    print(
      { messages },
      messages.length > 0 ? messages.map(messageLine).join("\n") : "Nothing was said here yet.",
    );
  },
};

const tail: Verb = {
  name: "topic tail",
  args: ["TOPIC"],
  summary: "what is said in a topic, as it is said",
  examples: ["claudemesh topic tail deploys --json"],
  async run(context) {
    const client = await context.daemon();
    context.endless();
    await client.topic.tail({ workspace: context.workspace, topic: context.args[0] ?? "" }, (message) =>
      context.print(message, messageLine(message)),
    );
    await goOn(context);
  },
};

export const topicVerbs = [
  create,
  list,
  info,
  change("join", "follow a topic", "joined"),
  change("leave", "stop following a topic; go out of a private one", "left"),
  changeMembers("add", "bring members into a private topic: they read what was said before, too"),
  changeMembers("remove", "take members out of a private topic: they read nothing more"),
  send,
  history,
  tail,
  members,
  mute,
];
