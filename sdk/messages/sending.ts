/** Sending: checked, into the outbox, and waited for where that is asked. */
import { utf8 } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { DeliveryState, MessageEvent } from "#protocol/features/message.ts";
import { LIMITS } from "#protocol/limits.ts";
import { stateOf } from "../features/receipt.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import type { Address } from "./address.ts";
import { hopsOf } from "./hops.ts";
import { findMessage } from "./inbox.ts";
import { memberNames } from "./names.ts";

type SendOptions = {
  id?: string | undefined;
  text: string;
  replyTo?: string | undefined;
  priority?: "now" | "next" | "low" | undefined;
  wait?: "stored" | "delivered" | "seen" | undefined;
  waitMs?: number | undefined;
};

/** Into the outbox; then, if asked to, waits for the receipt. */
export async function sendMessage(
  peer: Peer,
  opened: Opened,
  address: Address,
  options: SendOptions,
  { session }: Caller,
) {
  const { workspace, slug } = opened;
  const { text, wait, waitMs = 10_000, priority = "next" } = options;
  requireText(text);
  workspace.trust.requireKnown(address.label);
  if (wait && wait !== "stored" && !workspace.chain()?.members.has(address.label)) {
    throw new MeshError(
      "usage",
      `Only a message to one member can be waited for until ${wait}.`,
      "Use --wait stored.",
    );
  }
  const replyTo = options.replyTo && findMessage([opened], options.replyTo, "any").id;
  const event: MessageEvent = {
    kind: "message",
    text,
    to: address.to,
    ...(address.toSession !== null ? { toSession: address.toSession } : {}),
    ...(session ? { session: session.name, hops: hopsOf(peer, session) } : {}),
    ...(address.topic !== null ? { topic: address.topic } : {}),
    ...(address.group !== null ? { group: address.group } : {}),
    ...(replyTo ? { replyTo, thread: threadOf(workspace, replyTo) } : {}),
    mentions: mentionsIn(workspace, text),
    priority,
    sentAt: Math.floor(peer.now()),
  };
  const id = await workspace.say(address.label, event, options.id);
  if (wait) await waitFor(workspace, id, wait, waitMs);
  return { id, workspace: slug, to: address.to, state: stateOf(workspace, id) };
}

/** A conversation goes by the message that began it. */
function threadOf(workspace: Workspace, replyTo: string): string {
  const row = workspace.replica.db.sql("SELECT thread FROM messages WHERE id = ?").get(replyTo);
  return row?.thread ? String(row.thread) : replyTo;
}

const REACHED: Record<"stored" | "delivered" | "seen", readonly DeliveryState[]> = {
  stored: ["stored", "delivered", "handed over", "seen", "answered", "held"],
  delivered: ["delivered", "handed over", "seen", "answered", "held"],
  seen: ["seen", "answered"],
};

async function waitFor(
  workspace: Workspace,
  id: string,
  wait: keyof typeof REACHED,
  ms: number,
): Promise<void> {
  try {
    await workspace.changed.until(
      () => {
        const state = stateOf(workspace, id);
        if (state === "refused")
          throw new MeshError(
            "refused",
            "The message was refused.",
            `See \`claudemesh message status ${id}\`.`,
          );
        return REACHED[wait].includes(state) ? state : null;
      },
      ms,
      wait,
    );
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== "timeout") throw error;
    throw new MeshError(
      "timeout",
      `Waited ${ms} ms for "${wait}"; the message is ${stateOf(workspace, id)} and goes on by itself.`,
      `Follow it with \`claudemesh message status ${id.slice(-8)}\`.`,
    );
  }
}

function requireText(text: string): void {
  if (text.trim() === "")
    throw new MeshError("empty_text", "The message is empty.", "Give a text, or - to read it from stdin.");
  const size = utf8(text).length;
  if (size > LIMITS.text) {
    throw new MeshError(
      "too_large",
      `The text has ${size} bytes; the limit is ${LIMITS.text}.`,
      "Split it, or share it as a file.",
    );
  }
}

function mentionsIn(workspace: Workspace, text: string): string[] {
  const ids = new Map([...memberNames(workspace)].map(([id, name]) => [name, id]));
  const named = [...text.matchAll(/(?<![\w@])@([a-z0-9][a-z0-9._-]{0,34})/g)].map((match) => match[1] ?? "");
  const mentioned = named.map((name) => ids.get(name) ?? ids.get(name.replace(/[._-]+$/, "")));
  return [...new Set(mentioned.filter((id) => id !== undefined))].slice(0, 100);
}
