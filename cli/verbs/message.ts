/** message send, inbox, show, status, history, search, tail, release, drop */
import { MeshError } from "#protocol/errors.ts";
import { createRecordIds } from "#protocol/ids.ts";
import { oneOf, string, textFrom, whole } from "../input.ts";
import { messageLine, noticeLine, table } from "../print.ts";
import type { Context, Verb } from "../verb.ts";

export const PRIORITIES = ["now", "next", "low"] as const;
const WAITS = ["stored", "delivered", "seen"] as const;

export const SEND_OPTIONS = {
  "reply-to": { type: "string", value: "ID", about: "the message that this one answers" },
  priority: { type: "string", value: "P", values: PRIORITIES, about: "how urgent it is" },
  wait: { type: "string", value: "STATE", values: WAITS, about: "return once it came that far" },
} as const satisfies Verb["options"];

/** Of verbs that show messages. */
export const LIST_OPTIONS = {
  limit: { type: "string", value: "N", about: "the newest N" },
  "mark-read": { type: "boolean", about: "what is shown counts as read from now on" },
} as const satisfies Verb["options"];

/** What every sending verb passes on. The id is minted here: asking twice sends once. */
export async function sendParams({ options, timeoutMs, workspace }: Context, words: readonly string[]) {
  const text = await textFrom(words);
  // Loaded by the verbs that mint ids alone: it brings node:crypto along.
  const { systemClock, systemRandom } = await import("#adapters/clock.ts");
  const wait = oneOf(options.wait, "--wait", WAITS);
  return {
    id: createRecordIds(systemClock, systemRandom)(),
    workspace,
    text,
    replyTo: string(options["reply-to"]),
    priority: oneOf(options.priority, "--priority", PRIORITIES),
    ...(wait ? { wait, waitMs: timeoutMs } : {}),
  };
}

/** With --wait it may take a while. */
export function awaited<T>({ options, waiting }: Context, sending: Promise<T>): Promise<T> {
  return options.wait === undefined ? sending : waiting(`waiting until it is ${options.wait}`, sending);
}

/** A stream goes on as long as the daemon does; its end is no end of what is streamed. @throws MeshError */
export async function goOn({ closed }: Context): Promise<never> {
  await closed();
  throw new MeshError("daemon_unreachable", "The daemon has ended.", "Start it: claudemesh up");
}

const send: Verb = {
  name: "message send",
  aliases: ["send"],
  args: ["[TO]", "TEXT…"],
  options: {
    ...SEND_OPTIONS,
    "to-session": { type: "string", value: "ID", about: "to a session by its client's id, in place of TO" },
  },
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
    if (words.length === 0)
      throw new MeshError("usage", "message send: TEXT… is missing.", `Example: ${send.examples[0]}`);
    const params = await sendParams(context, words);
    const daemon = await context.daemon();
    const sent = await awaited(context, daemon.message.send({ ...params, to, toSession }));
    context.print(sent, `${sent.state}  ${sent.to}  (${sent.id.slice(-8)})`);
  },
};

const inbox: Verb = {
  name: "message inbox",
  aliases: ["inbox"],
  options: {
    unread: { type: "boolean", about: "only what isn't read yet" },
    held: { type: "boolean", about: "only what isn't shown to its session, each with the reason" },
    ...LIST_OPTIONS,
  },
  summary: "what is addressed to me",
  examples: [
    "claudemesh inbox --unread --mark-read",
    "claudemesh inbox --held",
    "claudemesh inbox --json --limit 20",
  ],
  async run({ options, workspace, daemon, print }) {
    const client = await daemon();
    const { messages, notices } = await client.message.inbox({
      workspace,
      unread: options.unread === true,
      held: options.held === true,
      markRead: options["mark-read"] === true,
      limit: whole(options.limit, "--limit"),
    });
    const lines = [...messages.map(messageLine), ...notices.map(noticeLine)];
    print({ messages, notices }, lines.length > 0 ? lines.join("\n") : "Nothing here.");
  },
};

const history: Verb = {
  name: "message history",
  args: ["[WITH]"],
  options: LIST_OPTIONS,
  summary: "what was said with a member, a session, in a topic, or at all",
  examples: ["claudemesh message history alice", "claudemesh message history --limit 20"],
  async run({ args, options, workspace, daemon, print }) {
    const client = await daemon();
    const { messages } = await client.message.history({
      workspace,
      with: args[0],
      limit: whole(options.limit, "--limit"),
      markRead: options["mark-read"] === true,
    });
    print({ messages }, messages.length > 0 ? messages.map(messageLine).join("\n") : "Nothing was said yet.");
  },
};

const search: Verb = {
  name: "message search",
  args: ["QUERY…"],
  options: { limit: { type: "string", value: "N", about: "the best N; 50 without it" } },
  summary: "messages with words that begin like these, the best first",
  examples: ['claudemesh message search "flaky test"'],
  async run({ args, options, workspace, daemon, print }) {
    const client = await daemon();
    const limit = whole(options.limit, "--limit");
    const { messages } = await client.message.search({ workspace, query: args.join(" "), limit });
    print({ messages }, messages.length > 0 ? messages.map(messageLine).join("\n") : "Nothing fits.");
  },
};

const tail: Verb = {
  name: "message tail",
  summary: "what comes to the inbox, as it comes",
  examples: ["claudemesh message tail", "claudemesh message tail --json"],
  async run(context) {
    const client = await context.daemon();
    context.endless();
    await client.message.tail({ workspace: context.workspace }, (event) =>
      context.print(event, "notice" in event ? noticeLine(event.notice) : messageLine(event)),
    );
    await goOn(context);
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

const show: Verb = {
  name: "message show",
  args: ["ID"],
  summary: "one message, whole",
  examples: ["claudemesh message show 3f2a91bc"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const message = await client.message.show({ workspace, id: args[0] ?? "" });
    print(message, messageLine(message));
  },
};

const SOME_HELD = {
  all: { type: "boolean", about: "everything that is held" },
} as const satisfies Verb["options"];

/** @throws MeshError usage */
function someHeld({ args, options, workspace }: Context) {
  if ((options.all === true) === args.length > 0)
    throw new MeshError("usage", "Some ids, or --all.", "See `claudemesh inbox --held`.");
  return { workspace, ...(options.all === true ? { all: true } : { ids: [...args] }) };
}

const release: Verb = {
  name: "message release",
  args: ["[ID…]"],
  options: SOME_HELD,
  summary: "show held messages to their sessions after all",
  examples: ["claudemesh message release 3f2a91bc", "claudemesh message release --all"],
  async run(context) {
    const which = someHeld(context);
    const client = await context.daemon();
    const done = await client.message.release(which);
    context.print(done, endedLine(done.released, "released"));
  },
};

const drop: Verb = {
  name: "message drop",
  args: ["[ID…]"],
  options: SOME_HELD,
  summary: "show held messages to no session; who sent them sees them refused",
  examples: ["claudemesh message drop 3f2a91bc", "claudemesh message drop --all"],
  async run(context) {
    const which = someHeld(context);
    const client = await context.daemon();
    const done = await client.message.drop(which);
    context.print(done, endedLine(done.dropped, "dropped"));
  },
};

function endedLine(ended: readonly { id: string }[], how: string): string {
  if (ended.length === 0) return "Nothing is held.";
  return `${how}: ${ended.map(({ id }) => id.slice(-8)).join(" ")}`;
}

export const messageVerbs = [send, inbox, show, status, history, search, tail, release, drop];
