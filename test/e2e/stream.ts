/** Many messages through one connection to the daemon, and what another daemon makes of them, in its own order. */
import type { Person } from "./person.ts";

/** Says all of them one after the other, each once the one before is in the outbox; `after` runs behind the n-th. */
export async function sayMany(
  person: Person,
  to: string,
  texts: readonly string[],
  after: { count: number; run(): unknown } | null = null,
): Promise<void> {
  const { daemon, close } = await person.client();
  for (const [i, text] of texts.entries()) {
    await daemon.message.send({ to, text, workspace: "acme" });
    if (i + 1 === after?.count) await after.run();
  }
  close();
}

export type Listener = {
  /** Texts from others, as they were committed; what comes twice stands there twice. */
  heard: readonly string[];
  /** Resolves once that many were heard. */
  count(wanted: number): Promise<void>;
};

/** From now on, for as long as that daemon lives. */
export async function listenAt(person: Person): Promise<Listener> {
  const heard: string[] = [];
  const waiting = new Set<() => void>();
  const { daemon } = await person.client();
  const me = (await daemon.account.whoami({})).name;
  await daemon.feed.open({}, (event) => {
    if (event.type !== "message" || event.message.from.name === me) return;
    heard.push(event.message.text);
    for (const look of waiting) look();
  });
  return {
    heard,
    count: (wanted) =>
      new Promise((resolve) => {
        const look = () => {
          if (heard.length < wanted) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

export const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name} ${i}`);

/** What is in the inbox. Its order is the senders'; that the broker's was the same is checked on the way. */
export async function inboxOf(person: Person): Promise<string[]> {
  const { messages } = await person.ok("inbox", "--workspace", "acme");
  const received: string[] = messages.map(({ receivedAt }: { receivedAt: string }) => receivedAt);
  if (received.join() !== received.toSorted().join())
    throw new Error("the broker's order isn't the senders'");
  return messages.map(({ text }: { text: string }) => text);
}
