/**
 * What a session's transcript tells as it grows: which of our messages came into a turn that the model has answered, and
 * how the session stands. A client writes an entry a line; what isn't known is passed over.
 */
import { type Fields, isFields, modelOf, parseEntry, wordsIn } from "../transcripts/fields.ts";
import { idsIn } from "./fence.ts";

export type Told = {
  /** Short ids of messages that the client has taken into its queue, or a turn. */
  taken?: readonly string[];
  /** Of those that were in a request to the model which it has answered. */
  seen?: readonly string[];
  permissionMode?: string;
  model?: string;
  contextTokens?: number;
  /** When the session's person typed something, in ms. */
  typedAt?: number;
};

export function createTranscript(tell: (told: Told) => void): (line: string) => void {
  let inTurn: string[] = [];

  return (line) => {
    // Most of a transcript are tools' results and whole prompts; parsing those would cost more than all the rest.
    if (!/"type":"(?:user|assistant|queue-operation|attachment|permission-mode)"/.test(line)) return;
    const entry = parseEntry(line);
    if (!entry) return;
    if (entry.type === "queue-operation" && entry.operation === "enqueue") {
      const ids = idsIn(wordsIn(entry.content));
      if (ids) tell({ taken: ids.all });
    }
    const said = idsIn(wordsIn(turnTextOf(entry)));
    if (said) {
      inTurn = [...inTurn, ...said.whole];
      tell({ taken: said.all });
    }
    const typedAt = isTyped(entry) ? Date.parse(String(entry.timestamp)) : Number.NaN;
    if (!Number.isNaN(typedAt)) tell({ typedAt });
    if (typeof entry.permissionMode === "string") tell({ permissionMode: entry.permissionMode });
    if (entry.type === "assistant" && entry.isSidechain !== true && entry.isApiErrorMessage !== true) {
      const seen = inTurn;
      inTurn = [];
      tell({ ...facts(entry.message), ...(seen.length > 0 ? { seen } : {}) });
    }
  };
}

/** What an entry puts before the model: a prompt, or what came while it was at work. */
function turnTextOf(entry: Fields): unknown {
  if (entry.type === "user" && isFields(entry.message)) return entry.message.content;
  const { attachment } = entry;
  if (!isFields(attachment)) return null;
  if (attachment.type === "queued_command") return attachment.prompt;
  return attachment.type === "hook_additional_context" ? attachment.content : null;
}

/** A prompt of its person's, as their first one or while it was at work. */
function isTyped({ attachment, origin }: Fields): boolean {
  const from = isFields(attachment) ? attachment.origin : origin;
  return isFields(from) && from.kind === "human";
}

function facts(message: unknown): Told {
  if (!isFields(message)) return {};
  const { usage } = message;
  const model = modelOf(message);
  const counts = isFields(usage) ? usage : {};
  const tokens = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]
    .map((name) => counts[name])
    .filter((count) => typeof count === "number");
  return {
    ...(model === null ? {} : { model }),
    ...(tokens.length > 0 ? { contextTokens: tokens.reduce((sum, count) => sum + count, 0) } : {}),
  };
}
