/** How each attached session is reached: a Claude session by its client's inbox, any other by the stream that it opened. */
import type { Reach, SessionEvent } from "#protocol/features/daemon.ts";
import type { Peer } from "#sdk/peer.ts";
import type { Judge } from "../policy/judge.ts";
import type { Rules } from "../policy/rules.ts";
import type { ClaudeClient, ClaudeFiles } from "../ports.ts";
import type { AttachedSession, Sessions } from "../sessions.ts";
import { type ClaudeSession, type Hook, openClaudeSession } from "./claude-session.ts";
import { createPostBox } from "./post-box.ts";

type Client = Pick<ClaudeClient, "pid" | "config">;

const keyOf = ({ pid, config }: Client) => `${pid} ${config}`;

type Reached = ClaudeSession | Stream;
type Stream = Pick<ClaudeSession, "look" | "close">;

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
  const early = new Map<string, Hook>();
  const sessionOf = (client: Client) => clients().find((one) => keyOf(one.client) === keyOf(client)) ?? null;
  const clients = () => [...reached.values()].filter((one) => "client" in one);

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
    /** The folder of its client's configuration; null where it is no Claude session. */
    configOf(session: AttachedSession): string | null {
      const one = reached.get(session);
      return one && "client" in one ? one.client.config : null;
    },
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
      const hook = client && early.get(keyOf(client));
      if (client && hook) {
        early.delete(keyOf(client));
        this.offer(client, hook);
      }
      return () => {
        reached.delete(session);
        one.close();
      };
    },
    posted(post: number, failed: string | null) {
      for (const one of clients()) one.posted(post, failed);
    },
    /** Looks anew at what the clients say of themselves: one may have begun another session just now. */
    refresh() {
      for (const { refresh } of clients()) refresh();
    },
    /** How it is reached, and what keeps messages from its model. */
    describe(session: AttachedSession): { reach: Reach; trouble: string | null; heardAt: number | null } {
      const one = reached.get(session);
      return one && "client" in one
        ? { reach: one.reach(), trouble: one.trouble(), heardAt: one.heardAt() }
        : { reach: "stream", trouble: null, heardAt: null };
    },
    /** Whether a nonce comes to its model within that time. @throws MeshError offline */
    async check(session: AttachedSession, limitMs: number): Promise<boolean> {
      const one = reached.get(session);
      return one !== undefined && "client" in one && (await one.check(limitMs));
    },
    /** A hook would put what waits for that client's session before its model. With an inbox there is nothing for it to do. */
    offer(client: Client, hook: Hook): void {
      const session = sessionOf(client);
      // A client runs its first hooks before its servers are up.
      if (!session && hook.waits) early.set(keyOf(client), hook);
      else if (!session || session.client.inbox) hook.take(null);
      else session.offer(hook);
    },
    withdraw(client: Client, hook: Hook): void {
      if (early.get(keyOf(client)) === hook) early.delete(keyOf(client));
      sessionOf(client)?.withdraw(hook);
    },
  };
}

function openStream(
  peer: Peer,
  judge: Judge,
  session: AttachedSession,
  emit: (event: SessionEvent) => void,
): Stream {
  return createPostBox(peer, session, {
    wait: () => 0,
    // What it does can't be seen, so nothing is known to wake it.
    verdict: (waiting, admitted) =>
      judge.verdict(session, waiting, admitted, { inbound: "accept", wakes: false }),
    async carry(messages) {
      for (const { message } of messages) emit({ type: "message", message });
      return { shown: messages.length, rest: "waits" };
    },
  });
}
