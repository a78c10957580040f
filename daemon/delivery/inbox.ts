/** The way into a client's inbox socket: a line to its adapter, and the adapter's word that it was written. */
import { MeshError } from "#protocol/errors.ts";
import type { SessionEvent } from "#protocol/features/daemon.ts";
import type { Clock, Timers } from "#protocol/ports.ts";
import { createPace } from "./pace.ts";

/** Until the adapter says that it has written. */
const POST_LIMIT_MS = 10_000;

export type Inbox = {
  /** Ms until the client takes another. */
  wait(): number;
  /** Resolves once it is written. @throws MeshError offline */
  post(content: string): Promise<void>;
  /** The adapter's word on a post. */
  posted(post: number, failed: string | null): void;
  close(): void;
};

export function createInbox(
  { clock, timers }: { clock: Clock; timers: Timers },
  nextPost: () => number,
  emit: (event: SessionEvent) => void,
): Inbox {
  const pace = createPace(clock);
  const underWay = new Map<number, (failed: string | null) => void>();

  return {
    wait: pace.wait,
    post: (content) =>
      new Promise((resolve, reject) => {
        const post = nextPost();
        const cancel = timers.after(POST_LIMIT_MS, () => underWay.get(post)?.("its adapter doesn't answer"));
        underWay.set(post, (failed) => {
          cancel();
          underWay.delete(post);
          if (failed === null) resolve();
          else reject(unreachable(failed));
        });
        pace.take();
        const line = { type: "user", message: { role: "user", content }, priority: "next" };
        emit({ type: "post", post, line: JSON.stringify(line) });
      }),
    posted: (post, failed) => underWay.get(post)?.(failed),
    close() {
      for (const settle of underWay.values()) settle("it has gone");
    },
  };
}

function unreachable(why: string): MeshError {
  return new MeshError("offline", `The session can't be reached: ${why}.`, "See `claudemesh doctor`.");
}
