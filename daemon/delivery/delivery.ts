/** How each attached session is reached: a Claude session by its client's inbox, any other by the stream that it opened. */
import type { SessionEvent } from "#protocol/features/daemon.ts";
import type { Peer } from "#sdk/peer.ts";
import type { Judge } from "../policy/judge.ts";
import type { Rules } from "../policy/rules.ts";
import type { ClaudeClient, ClaudeFiles } from "../ports.ts";
import type { AttachedSession, Sessions } from "../sessions.ts";
import { openClaudeSession } from "./claude-session.ts";
import { createPostBox } from "./post-box.ts";

type Reached = {
  look(): void;
  refresh?(): void;
  posted?(post: number, failed: string | null): void;
  close(): void;
};

export type Delivery = ReturnType<typeof createDelivery>;

export function createDelivery(
  peer: Peer,
  sessions: Sessions,
  files: ClaudeFiles,
  { judge, rules }: { judge: Judge; rules: Pick<Rules, "onChange"> },
) {
  const reached = new Map<AttachedSession, Reached>();
  let posts = 0;
  const nextPost = () => ++posts;

  peer.listen((_, happening) => {
    if (happening.type !== "given") return;
    for (const [session, { look }] of reached) if (session.name === happening.session) look();
  });
  sessions.listen((session) => reached.get(session)?.look());
  rules.onChange(() => {
    for (const { look } of reached.values()) look();
  });

  return {
    isKnown: (client: ClaudeClient) => files.state(client) !== null,
    /** The session's own id, which a client that was cleared has drawn anew. */
    idOf: (id: string, client: ClaudeClient | null) => (client && files.state(client)?.session) ?? id,
    open(
      session: AttachedSession,
      client: ClaudeClient | null,
      emit: (event: SessionEvent) => void,
    ): () => void {
      const one = client
        ? openClaudeSession({ peer, sessions, files, judge, nextPost }, session, client, emit)
        : openStream(peer, judge, session, emit);
      reached.set(session, one);
      one.look();
      return () => {
        reached.delete(session);
        one.close();
      };
    },
    posted(post: number, failed: string | null) {
      for (const one of reached.values()) one.posted?.(post, failed);
    },
    /** Looks anew at what the clients say of themselves: one may have begun another session just now. */
    refresh() {
      for (const { refresh } of reached.values()) refresh?.();
    },
  };
}

function openStream(
  peer: Peer,
  judge: Judge,
  session: AttachedSession,
  emit: (event: SessionEvent) => void,
): Reached {
  return createPostBox(peer, session, {
    wait: () => 0,
    verdict: (waiting, admitted) => judge.verdict(session, "accept", waiting, admitted),
    async carry(messages) {
      for (const { message } of messages) emit({ type: "message", message });
    },
  });
}
