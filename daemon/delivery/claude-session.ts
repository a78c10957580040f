/**
 * One session of a Claude client: posts go to its inbox socket by its adapter, a child of the client, which alone may write
 * there unasked. What became of them is read in the client's own files, which cost nothing while nothing happens.
 */
import { MeshError } from "#protocol/errors.ts";
import type { SessionEvent } from "#protocol/features/daemon.ts";
import type { SessionStatus } from "#protocol/features/member.ts";
import { seen, shownAs } from "#sdk/messages/handing-over.ts";
import type { Peer } from "#sdk/peer.ts";
import type { Judge } from "../policy/judge.ts";
import type { ClaudeClient, ClaudeFiles } from "../ports.ts";
import type { AttachedSession, Sessions } from "../sessions.ts";
import { envelopeOf, shortId } from "./fence.ts";
import { createPace } from "./pace.ts";
import { type Carrier, createPostBox } from "./post-box.ts";
import { createTranscript, type Told } from "./transcript.ts";

/** Until the adapter says that it has written. */
const POST_LIMIT_MS = 10_000;
/** A client that hears has taken a post into its queue within this time, even while it is at work. */
const DEAF_MS = 30_000;
/** A client keeps 50 for its next turn and drops what is beyond. */
const MOST_UNSEEN = 20;

export type ClaudeSession = {
  look(): void;
  /** Looks anew at what its client says of itself. */
  refresh(): void;
  /** The adapter's word on a post. */
  posted(post: number, failed: string | null): void;
  close(): void;
};

export function openClaudeSession(
  {
    peer,
    sessions,
    files,
    judge,
    nextPost,
  }: { peer: Peer; sessions: Sessions; files: ClaudeFiles; judge: Judge; nextPost(): number },
  session: AttachedSession,
  client: ClaudeClient,
  emit: (event: SessionEvent) => void,
): ClaudeSession {
  const { timers, clock } = peer.ports;
  const pace = createPace(clock);
  const unseen = new Set<string>();
  const untaken = new Map<string, () => void>();
  const underWay = new Map<number, { done(): void; fail(why: string): void }>();
  let closed = false;
  /** Nothing is posted before it is known what the client asks its person for. */
  let isKnown = false;

  const heard = ({ taken, seen: ids, permissionMode, model, contextTokens, typedAt }: Told) => {
    if (typedAt !== undefined) sessions.typed(session, typedAt);
    if (permissionMode !== undefined)
      sessions.see(session, { bypasses: permissionMode === "bypassPermissions" });
    if (model !== undefined) sessions.see(session, { model });
    if (contextTokens !== undefined) sessions.see(session, { stats: { ...session.stats, contextTokens } });
    for (const id of taken ?? []) {
      untaken.get(id)?.();
      untaken.delete(id);
      sessions.see(session, { deaf: false });
    }
    if (!ids) return;
    for (const { workspace } of peer.opened()) {
      const found = shownAs(workspace, session.name, ids);
      if (found.length > 0) seen(peer, workspace, found);
    }
    for (const id of ids) unseen.delete(id);
    box.look();
  };

  const refresh = () => {
    const state = files.state(client);
    if (closed || !state) return;
    if (state.session !== session.id) {
      transcript.close();
      transcript = files.follow({ ...client, session: state.session }, createTranscript(heard));
    }
    const doing = doingOf(state.status);
    sessions.see(session, { id: state.session, doing, ...files.repository(session.cwd ?? "") });
    transcript.look();
    // What it had queued is in a turn by now, seen here or not.
    if (doing === "idle") unseen.clear();
    box.look();
  };

  const expectTaken = (id: string) => {
    untaken.get(id)?.();
    untaken.set(
      id,
      timers.after(DEAF_MS, () => {
        untaken.delete(id);
        transcript.look();
        if (files.inbound(client.config) === "accept") sessions.see(session, { deaf: true });
      }),
    );
  };

  const carrier: Carrier = {
    wait: () =>
      !client.inbox || !isKnown || unseen.size >= MOST_UNSEEN || session.deaf ? null : pace.wait(),
    verdict: (waiting, admitted) => judge.verdict(session, files.inbound(client.config), waiting, admitted),
    async carry(messages) {
      const shared = peer.opened().filter(({ workspace }) => workspace.broker !== null);
      const content = envelopeOf(
        messages.map(({ message }) => message),
        shared.length > 1,
      );
      const post = nextPost();
      pace.take();
      if (session.doing === "idle") judge.woke(session);
      await new Promise<void>((resolve, reject) => {
        const cancel = timers.after(POST_LIMIT_MS, () => settle.fail("the adapter doesn't answer"));
        const settle = {
          done() {
            cancel();
            underWay.delete(post);
            resolve();
          },
          fail(why: string) {
            cancel();
            underWay.delete(post);
            reject(
              new MeshError("offline", `The session can't be reached: ${why}.`, "See `claudemesh doctor`."),
            );
          },
        };
        underWay.set(post, settle);
        const line = { type: "user", message: { role: "user", content }, priority: "next" };
        emit({ type: "post", post, line: JSON.stringify(line) });
      });
      for (const { given } of messages) {
        unseen.add(shortId(given.id));
        expectTaken(shortId(given.id));
      }
      transcript.look();
    },
  };

  const box = createPostBox(peer, session, carrier);
  // It tells at once what is there already.
  let transcript = files.follow({ ...client, session: session.id }, createTranscript(heard));
  const stopWatching = files.onState(client, refresh);
  const failed = (error: unknown) =>
    peer.ports.log.warn({ error: String(error) }, "a client's mode isn't known");
  files
    .bypasses(client)
    .then((yes) => {
      if (yes) sessions.see(session, { bypasses: true });
      isKnown = true;
      refresh();
    })
    .catch(failed);

  return {
    look: box.look,
    refresh,
    posted(post, failed) {
      const settle = underWay.get(post);
      if (failed === null) settle?.done();
      else settle?.fail(failed);
    },
    close() {
      closed = true;
      box.close();
      stopWatching();
      transcript.close();
      for (const cancel of untaken.values()) cancel();
      for (const { fail } of underWay.values()) fail("it has gone");
    },
  };
}

function doingOf(status: string): SessionStatus | null {
  if (status === "idle" || status === "waiting") return status;
  return status === "busy" ? "working" : null;
}
