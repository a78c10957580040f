/** topic create, list, join, leave, send, history, tail, members, mute */
import type { Topic } from "#protocol/features/topic.ts";
import { whole } from "../input.ts";
import { dot, messageLine, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";
import { awaited, goOn, LIST_OPTIONS, SEND_OPTIONS, sendParams } from "./message.ts";

export function topicLine({ name, joined, muted, unread, mentions, workspace }: Topic): string[] {
  return [
    `#${name}`,
    joined ? (muted ? "muted" : "joined") : "",
    unread > 0 ? `${unread} unread` : "",
    mentions > 0 ? `${mentions} for you` : "",
    workspace,
  ];
}

/** create, join and leave differ in the one call. */
function change(verb: "create" | "join" | "leave", summary: string, done: string): Verb {
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
  change("create", "make a topic and join it", "made"),
  list,
  change("join", "follow a topic", "joined"),
  change("leave", "stop following a topic", "left"),
  send,
  history,
  tail,
  members,
  mute,
];
