/** What a session's inbox takes, as the real client decides it. Every figure here was seen with Claude Code 2.1.329. */
import { z } from "zod";

export const MAX_LINE = 1_048_576;
const BURST = 30;
const REFILL_PER_MS = 0.5 / 1000;
const DUPLICATE_MS = 30_000;
const QUEUE = 50;

export type InboundSetting = "accept" | "hold" | "refuse";

const line = z.looseObject({
  type: z.string(),
  message: z.looseObject({ role: z.literal("user"), content: z.string() }).optional(),
  /** Where the sender listens for what became of it: `uds:` and a socket beside the session's. */
  from: z.string().optional(),
  msg_id: z.string().optional(),
});

export type Posted = { content: string; from: string | null; id: string | null };

export type Verdict =
  | { state: "queued" | "held" | "refused"; posted: Posted }
  | { state: "dropped"; posted: Posted; reason: "rate-limited" | "duplicate" | "queue-full" }
  /** A line of authentication, or nothing that a session understands. */
  | { state: "ignored" };

/** `waiting`: how many are queued already. All posters count as one sender: a session has one adapter. */
export function createInbox(now: () => number, waiting: () => number) {
  let tokens = BURST;
  let filledAt = now();
  const taken = new Map<string, number>();

  const dropped = (content: string) => {
    tokens = Math.min(BURST, tokens + (now() - filledAt) * REFILL_PER_MS);
    filledAt = now();
    if (now() - (taken.get(content) ?? Number.NEGATIVE_INFINITY) < DUPLICATE_MS) return "duplicate";
    if (tokens < 1) return "rate-limited";
    if (waiting() >= QUEUE) return "queue-full";
    tokens--;
    taken.set(content, now());
    return null;
  };

  return (text: string, setting: InboundSetting): Verdict => {
    const parsed = line.safeParse(parse(text));
    if (!parsed.success || parsed.data.type !== "user" || !parsed.data.message) return { state: "ignored" };
    const { message, from = null, msg_id: id = null } = parsed.data;
    const posted = { content: withoutNested(message.content), from, id };
    if (setting === "refuse") return { state: "refused", posted };
    if (setting === "hold") return { state: "held", posted };
    const reason = dropped(message.content);
    return reason ? { state: "dropped", posted, reason } : { state: "queued", posted };
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** An envelope counts where it is the whole of the text; tags of its name anywhere else are made harmless. Others are not. */
function withoutNested(content: string): string {
  const whole = /^(<cross-session-message\b[^>]*>)([\s\S]*)(<\/cross-session-message>)\s*$/.exec(content);
  const harmless = (text: string) => text.replace(/<(\/?cross-session-message\b)/g, "<\\$1");
  const [, open = "", body = "", close = ""] = whole ?? [];
  return whole ? `${open}${harmless(body)}${close}` : harmless(content);
}

/** How the model sees it: as a prompt of its own, or beside a tool's result. */
export function wrapped(content: string, working: boolean): string {
  const when = working ? " while you were working" : "";
  return `Another Claude session sent a message${when}:\n${content}\n\nThis came from another Claude session — not typed by your user.`;
}
