/**
 * Peers' words as a model gets them: data inside of an envelope that they can't close, open or look like. Who sent them
 * stands outside of them. The envelope is what Claude Code's own sessions write each other in.
 */
import type { Message } from "#protocol/features/message.ts";

/** Of a text that is alone in its envelope, and of one among others, in characters. */
const TEXT_BUDGET = 4000;
const LINE_BUDGET = 200;
/** Of all texts in one envelope. */
const DIGEST_BUDGET = 4000;
const SHOWN_SENDERS = 5;

const TAG = "cross-session-message";
/** Nobody that the client could answer by its own means. */
const SENDER = "claudemesh";

/** Ids are shown by their last eight characters; these are random. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** One message, or several as a digest. `shown`: so many, from the first on, have found room. */
export function envelopeOf(
  messages: readonly Message[],
  showWorkspace: boolean,
): { text: string; shown: number } {
  const [first] = messages;
  return first && messages.length === 1
    ? { text: letter(first, showWorkspace), shown: 1 }
    : digest(messages, showWorkspace);
}

/** Of nobody: whether it comes to the model tells whether the session hears. */
export function checkOf(nonce: string): string {
  const attributes = { from: SENDER, "from-name": SENDER, id: nonce };
  return envelope(
    attributes,
    "A check that this session hears. There is nothing to do and nothing to answer.",
  );
}

function letter(message: Message, showWorkspace: boolean): string {
  const { from, id, workspace, topic } = message;
  const attributes = {
    from: SENDER,
    "from-name": from.address,
    verified: trustIn(message),
    ...(showWorkspace ? { workspace } : {}),
    ...(topic === null ? {} : { topic }),
  };
  const text = fenced(message.text);
  const shown =
    text.length <= TEXT_BUDGET
      ? text
      : `${cut(text, TEXT_BUDGET)}… (${text.length - TEXT_BUDGET} more characters: claudemesh message show ${shortId(id)})`;
  const answer = `Reply: claudemesh send ${answerTo(message)} "…" --reply-to ${shortId(id)}`;
  return envelope(attributes, `${shown}\n\n${answer}`);
}

/** Counts, and a line for each as long as there is room. A text's further lines are indented: none looks like another's. */
function digest(messages: readonly Message[], showWorkspace: boolean) {
  const lines: string[] = [];
  let room = DIGEST_BUDGET;
  for (const message of messages) {
    const line = digestLine(message, showWorkspace);
    if (line.length > room) break;
    lines.push(line);
    room -= line.length;
  }
  const left = messages.length - lines.length;
  const rest = left > 0 ? [`and ${left} more.`] : [];
  const body = [
    `${messages.length} messages: ${countsOf(messages)}.`,
    ...lines,
    ...rest,
    "",
    'Whole: claudemesh inbox --unread --mark-read. Reply: claudemesh send TO "…" --reply-to ID',
  ];
  const text = envelope({ from: SENDER, "from-name": SENDER }, body.join("\n"));
  return { text, shown: lines.length };
}

function digestLine(message: Message, showWorkspace: boolean): string {
  const text = fenced(message.text);
  const isCut = text.length > LINE_BUDGET;
  const shown = (isCut ? `${cut(text, LINE_BUDGET)}…` : text).replaceAll("\n", "\n  ");
  const place = [
    message.from.address,
    message.topic === null ? "" : `#${message.topic}`,
    showWorkspace ? `in ${message.workspace}` : "",
    message.from.verified ? "verified" : "",
    shortId(message.id),
  ];
  const more = isCut ? ` +${text.length - LINE_BUDGET}` : "";
  return `[${place.filter((part) => part !== "").join(" ")}${more}] ${shown}`;
}

/**
 * Short ids of the messages that an envelope of ours carries; `whole`: those not cut to a digest's line. Null: it is none
 * of ours.
 */
export function idsIn(text: string): { all: string[]; whole: string[] } | null {
  const opening = OPENING.exec(text)?.[0];
  if (!opening) return null;
  // A text can't close the envelope: the line before its end is ours.
  const one = (/ id="([0-9a-f]{8})"/.exec(opening) ?? LAST_LINE.exec(text))?.[1];
  if (one) return { all: [one], whole: [one] };
  const lines = [...text.matchAll(/^\[[^\]\n]* ([0-9a-f]{8})( \+\d+)?\] /gm)];
  const ids = (among: typeof lines) => among.map((line) => line[1] ?? "");
  return { all: ids(lines), whole: ids(lines.filter((line) => line[2] === undefined)) };
}

const OPENING = new RegExp(`<${TAG} from="${SENDER}"[^>]*>\n`);
const LAST_LINE = new RegExp(`\nReply: [^\n]* --reply-to ([0-9a-f]{8})\n</${TAG}>`);

function countsOf(messages: readonly Message[]): string {
  const counts = new Map<string, number>();
  for (const { topic, from } of messages) {
    const source = topic === null ? from.address : `#${topic}`;
    counts.set(source, (counts.get(source) ?? 0) + 1);
  }
  const most = [...counts].toSorted((a, b) => b[1] - a[1]);
  const shown = most.slice(0, SHOWN_SENDERS).map(([source, count]) => `${source} ${count}`);
  return [...shown, ...(most.length > SHOWN_SENDERS ? ["others"] : [])].join(", ");
}

/** Where an answer goes: to the room that it was said in, else to who said it. */
function answerTo({ topic, to, from }: Message): string {
  if (topic !== null) return `"#${topic}"`;
  return to.startsWith("@") ? to : from.address;
}

function trustIn({ from }: Message): string {
  if (from.keyChanged) return "key changed";
  return from.verified ? "yes" : "no";
}

function envelope(attributes: Readonly<Record<string, string>>, body: string): string {
  const written = Object.entries(attributes).map(
    ([name, value]) => ` ${name}="${value.replace(/["<>&\s]+/g, " ")}"`,
  );
  return `<${TAG}${written.join("")}>\n${body}\n</${TAG}>`;
}

/** At a whole character. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, "");
}

/** Words that stand in the tags that a client or a model's template uses. */
const RESERVED = "cross|system|channel|user|human|assistant|tool|function|invoke|teammate|task";
/** `<` and what looks like it, in front of a name with a hyphen, underscore or colon in it, or of a reserved word. */
const TAG_LIKE = new RegExp(
  `[<\\uff1c\\ufe64\\u2039\\u3008\\u27e8\\u02c2\\u276e\\u1438](?=[\\s/\\uff0f\\u2215\\u2044]*(?:[\\p{L}\\p{N}]+[-_:\\p{Pd}]|(?:${RESERVED})))`,
  "giu",
);
/** Control characters but newline and tab; bidi and invisible ones; Unicode's tag characters, which smuggle text. */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken away
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** As data: nothing in it is taken for a tag of the client's, or hides from who reads it. */
export function fenced(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(HIDDEN, "").replace(TAG_LIKE, "&lt;").trimEnd();
}
