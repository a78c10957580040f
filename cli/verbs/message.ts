/** send, inbox, message status */
import { createRecordIds } from "#protocol/ids.ts";
import { oneOf, string, textFrom, whole } from "../input.ts";
import { messageLine, table } from "../print.ts";
import type { Context, Verb } from "../verb.ts";

export const SEND_OPTIONS = {
  "reply-to": { type: "string" },
  priority: { type: "string" },
  wait: { type: "string" },
} as const;

/** What every sending verb passes on. The id is minted here: asking twice sends once. */
export async function sendParams({ options, timeoutMs, workspace }: Context, words: readonly string[]) {
  const text = await textFrom(words);
  // Loaded by the verbs that mint ids alone: it brings node:crypto along.
  const { systemClock, systemRandom } = await import("#adapters/clock.ts");
  const wait = oneOf(options.wait, "--wait", ["stored", "delivered", "seen"]);
  return {
    id: createRecordIds(systemClock, systemRandom)(),
    workspace,
    text,
    replyTo: string(options["reply-to"]),
    priority: oneOf(options.priority, "--priority", ["now", "next", "low"]),
    ...(wait ? { wait, waitMs: timeoutMs } : {}),
  };
}

const send: Verb = {
  name: "message send",
  aliases: ["send"],
  args: ["[TO]", "TEXT…"],
  options: { ...SEND_OPTIONS, "to-session": { type: "string" } },
  summary: "send a message; - reads the text from stdin",
  examples: [
    'claudemesh send alice "the build is green"',
    "git diff | claudemesh send alice/payments -",
    'claudemesh send "#deploys" "shipping 1.4" --wait stored',
  ],
  async run(context) {
    const toSession = string(context.options["to-session"]);
    const [to, words] =
      toSession === undefined ? [context.args[0], context.args.slice(1)] : [undefined, context.args];
    const params = await sendParams(context, words);
    const daemon = await context.daemon();
    const sent = await daemon.message.send({ ...params, to, toSession });
    context.print(sent, `${sent.state}  ${sent.to}  (${sent.id.slice(-8)})`);
  },
};

const inbox: Verb = {
  name: "message inbox",
  aliases: ["inbox"],
  options: { unread: { type: "boolean" }, "mark-read": { type: "boolean" }, limit: { type: "string" } },
  summary: "what is addressed to me",
  examples: ["claudemesh inbox --unread --mark-read", "claudemesh inbox --json --limit 20"],
  async run({ options, workspace, daemon, print }) {
    const client = await daemon();
    const { messages } = await client.message.inbox({
      workspace,
      unread: options.unread === true,
      markRead: options["mark-read"] === true,
      limit: whole(options.limit, "--limit"),
    });
    print({ messages }, messages.length > 0 ? messages.map(messageLine).join("\n") : "Nothing here.");
  },
};

const status: Verb = {
  name: "message status",
  args: ["ID"],
  summary: "what became of a message",
  examples: ["claudemesh message status 3f2a91bc"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const found = await client.message.status({ workspace, id: args[0] ?? "" });
    const rows = found.receipts.map(({ state, at, by, detail }) => [state, at, by ?? "", detail ?? ""]);
    print(found, `${found.id} to ${found.to}\n${table(rows)}`);
  },
};

export const messageVerbs = [send, inbox, status];
