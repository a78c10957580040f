/** A message as verbs show it, for tests and benches that need only some of it. */
import type { Message } from "#protocol/features/message.ts";

export function messageOf(id: string, text: string, more: Partial<Message> = {}): Message {
  return {
    id,
    workspace: "acme",
    from: { member: "m", name: "alice", address: "alice/payments", verified: false, keyChanged: null },
    to: "bob",
    topic: null,
    text,
    replyTo: null,
    thread: null,
    mentioned: false,
    priority: "next",
    sentAt: "2026-01-01T00:00:00.000Z",
    receivedAt: null,
    read: false,
    possiblyShown: false,
    held: null,
    ...more,
  };
}
