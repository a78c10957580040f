/** Records that go out past the outbox, each with somebody who waits for what the broker says to it. */
import { MeshError } from "#protocol/errors.ts";
import { decodeRecord } from "#protocol/record.ts";

export type Answers = {
  /**
   * Resolves once the broker has committed it, with null; with the record that its cell holds instead, for a put that
   * came too late. @throws MeshError with the broker's reason, offline
   */
  transmit(record: Uint8Array): Promise<Uint8Array | null>;
  /** Each answers whether somebody waited for it. */
  acked(id: string): boolean;
  outdone(id: string, held: Uint8Array): boolean;
  refused(id: string, error: MeshError): boolean;
  linkDown(): void;
};

export function createAnswers(send: (record: Uint8Array) => void): Answers {
  const waiting = new Map<string, PromiseWithResolvers<Uint8Array | null>>();

  const settle = (id: string, how: (one: PromiseWithResolvers<Uint8Array | null>) => void): boolean => {
    const one = waiting.get(id);
    if (one) how(one);
    return waiting.delete(id);
  };

  return {
    transmit(record) {
      const one = Promise.withResolvers<Uint8Array | null>();
      waiting.set(decodeRecord(record).header.id, one);
      send(record);
      return one.promise;
    },
    acked: (id) => settle(id, ({ resolve }) => resolve(null)),
    outdone: (id, held) => settle(id, ({ resolve }) => resolve(held)),
    refused: (id, error) => settle(id, ({ reject }) => reject(error)),
    linkDown() {
      const error = new MeshError("offline", "The link to the broker broke.", "It is tried again.");
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    },
  };
}
