/** Questions to the broker that wait for their answer: history pages, subscriptions, who is there, invites by e-mail. */
import { MeshError } from "#protocol/errors.ts";
import type { FromBroker } from "#protocol/frames.ts";

export type Answer = Extract<
  FromBroker,
  { type: "page" | "subscribed" | "faces" | "mailed" | "requested" | "answered" | "blocked" }
>;
export type Item = { seq: number; at: number; record: Uint8Array };

type Pending = { resolve(answer: Answer): void; reject(error: MeshError): void; onItem(item: Item): void };

export type Requests = {
  /** `send` is given the number under which the answer comes. @throws MeshError what the broker answers, offline */
  ask<T extends Answer["type"]>(
    type: T,
    send: (request: number) => void,
    onItem?: (item: Item) => void,
  ): Promise<Extract<Answer, { type: T }>>;
  item(request: number, item: Item): void;
  answered(answer: Answer): void;
  refused(request: number, error: MeshError): void;
  /** The link broke: whoever waits is told. */
  broke(): void;
};

export function createRequests(): Requests {
  const waiting = new Map<number, Pending>();
  let next = 1;

  const take = (request: number) => {
    const found = waiting.get(request);
    waiting.delete(request);
    return found;
  };

  return {
    ask(type, send, onItem = () => {}) {
      const isAsked = (answer: Answer): answer is Extract<Answer, { type: typeof type }> =>
        answer.type === type;
      return new Promise((resolve, reject) => {
        const request = next++;
        waiting.set(request, {
          resolve: (answer) =>
            isAsked(answer)
              ? resolve(answer)
              : reject(new MeshError("bad_frame", "The broker answered another question.")),
          reject,
          onItem,
        });
        send(request);
      });
    },
    item: (request, item) => waiting.get(request)?.onItem(item),
    answered: (answer) => take(answer.request ?? 0)?.resolve(answer),
    refused: (request, error) => take(request)?.reject(error),
    broke() {
      const all = [...waiting.values()];
      waiting.clear();
      for (const { reject } of all)
        reject(new MeshError("offline", "The link to the broker broke.", "Try again."));
    },
  };
}
