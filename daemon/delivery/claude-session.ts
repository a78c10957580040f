/**
 * One session of a Claude client: posts go to its inbox socket by its adapter, a child of the client, which alone may write
 * there unasked. What became of them is read in the client's own files, which cost nothing while nothing happens.
 */
import type { Reach, SessionEvent } from "#protocol/features/daemon.ts";
import type { SessionStatus } from "#protocol/features/member.ts";
import { createRecordIds } from "#protocol/ids.ts";
import { seen, shownAs } from "#sdk/messages/handing-over.ts";
import type { Peer } from "#sdk/peer.ts";
import { PERSONAL } from "#sdk/which-workspace.ts";
import type { Judge } from "../policy/judge.ts";
import type { ClaudeClient, ClaudeFiles } from "../ports.ts";
import type { AttachedSession, Sessions } from "../sessions.ts";
import { checkOf, envelopeOf, shortId } from "./fence.ts";
import { createHearing } from "./hearing.ts";
import { createInbox } from "./inbox.ts";
import { type Carrier, createPostBox } from "./post-box.ts";
import { createTranscript, type Told } from "./transcript.ts";

/** For a check that nobody waits for. */
const CHECK_LIMIT_MS = 60_000;

/** Of a longer backlog a session is told how long it is, and of each message that finds room: the rest is in its inbox. */
const MOST_IN_LINES = 100;

/** What of a daemon its sessions need. */
export type Surroundings = {
  peer: Peer;
  sessions: Sessions;
  files: ClaudeFiles;
  judge: Judge;
  /** A number for a post that no other post of this daemon has. */
  nextPost(): number;
};

export type ClaudeSession = {
  client: ClaudeClient;
  reach(): Reach;
  /** Why messages don't come to its model at once; null: they do. */
  trouble(): string | null;
  /** When something last came to its model, in ms since the epoch; null: not since it is attached. */
  heardAt(): number | null;
  /** Sends a nonce to its model and back; answers whether it came within that time. @throws MeshError offline */
  check(limitMs: number): Promise<boolean>;
  /** A hook would put text before the model. The newest that waits is the one that is served. */
  offer(hook: Hook): void;
  withdraw(hook: Hook): void;
  look(): void;
  /** Looks anew at what its client says of itself. */
  refresh(): void;
  /** The adapter's word on a post. */
  posted(post: number, failed: string | null): void;
  close(): void;
};

/** `take`: the text; null when there is none, or another hook waits in its place. */
export type Hook = { waits: boolean; take(text: string | null): void };

export function openClaudeSession(
  { peer, sessions, files, judge, nextPost }: Surroundings,
  session: AttachedSession,
  client: ClaudeClient,
  emit: (event: SessionEvent) => void,
): ClaudeSession {
  const { timers, clock, random, log } = peer.ports;
  const newId = createRecordIds(clock, random);
  const inbox = createInbox(peer.ports, nextPost, emit);
  /** Nothing is posted before it is known what the client asks its person for. */
  let isKnown = false;
  let heardAt: number | null = null;
  let isChecking = false;
  let hook: Hook | null = null;
  /** A client arms the next hook after its turn. */
  let hasWaited = false;
  let closed = false;

  const failed = (error: unknown) =>
    log.warn({ session: session.id, error: String(error) }, "a Claude session's work failed");

  const hearing = createHearing(timers, (deaf) => {
    transcript.look();
    // A client that asks its person first keeps what it was posted.
    sessions.see(session, { deaf: deaf && files.inbound(client.config) === "accept" });
  });

  const told = ({ taken, seen: ids, permissionMode, model, contextTokens, typedAt }: Told) => {
    if (typedAt !== undefined) sessions.typed(session, typedAt);
    if (permissionMode !== undefined)
      sessions.see(session, { bypasses: permissionMode === "bypassPermissions" });
    if (model !== undefined) sessions.see(session, { model });
    if (contextTokens !== undefined) sessions.see(session, { stats: { ...session.stats, contextTokens } });
    if (taken) hearing.taken(taken);
    if (!ids) return;
    if (heardAt === null) keepVersion();
    heardAt = peer.now();
    for (const { workspace } of peer.opened()) {
      const found = shownAs(workspace, session.name, ids);
      if (found.length > 0) seen(peer, workspace, found);
    }
    hearing.seen(ids);
    box.look();
  };

  /** What stands in a client's files is never worth the daemon's end. */
  const guarded =
    <T extends unknown[]>(run: (...args: T) => void) =>
    (...args: T) => {
      try {
        run(...args);
      } catch (error) {
        failed(error);
      }
    };
  const follow = (id: string) => files.follow({ ...client, session: id }, guarded(createTranscript(told)));

  let transcript = { look() {}, close() {} };

  const refresh = () => {
    const state = files.state(client);
    if (closed || !state) return;
    if (state.session !== session.id) {
      transcript.close();
      transcript = follow(state.session);
    }
    const doing = doingOf(state.status);
    sessions.see(session, { id: state.session, doing, ...files.repository(session.cwd ?? "") });
    transcript.look();
    if (doing === "idle") hearing.rested();
    if (doing === "working") checkVersion(state.version);
    box.look();
  };

  /** That this version of the client hears has been seen. */
  const keepVersion = () => {
    const version = files.state(client)?.version;
    if (version) peer.database.sql("INSERT OR IGNORE INTO clients (version) VALUES (?)").run(version);
  };

  /** A version that is new here is tried once, while a session is at work: as a rule it costs no turn of its own then. */
  const checkVersion = (version: string) => {
    if (!client.inbox || !isKnown || heardAt !== null || isChecking) return;
    if (session.bypasses || files.inbound(client.config) === "refuse") return;
    if (version === "" || peer.database.sql("SELECT 1 FROM clients WHERE version = ?").get(version)) return;
    check(CHECK_LIMIT_MS).catch(failed);
  };

  const check = async (limitMs: number): Promise<boolean> => {
    const nonce = shortId(newId());
    isChecking = true;
    try {
      const came = hearing.awaits(nonce, limitMs);
      hearing.posted([nonce]);
      await inbox.post(checkOf(nonce));
      return await came;
    } catch (error) {
      hearing.forget([nonce]);
      throw error;
    } finally {
      isChecking = false;
    }
  };

  /** Whether what goes to it now makes it begin a turn. */
  const wakes = () => session.doing === "idle" && hook?.waits !== false;

  const carrier: Carrier = {
    wait() {
      if (!isKnown || hearing.isFull()) return null;
      if (hook) return 0;
      return client.inbox && !session.deaf ? inbox.wait() : null;
    },
    verdict(waiting, admitted) {
      const inbound = files.inbound(client.config);
      return judge.verdict(session, waiting, admitted, {
        // What a hook says is the client's own to say: it asks nobody.
        inbound: hook && inbound === "hold" ? "accept" : inbound,
        wakes: wakes(),
      });
    },
    async carry(messages) {
      const shared = peer.opened().filter(({ slug }) => slug !== PERSONAL);
      const texts = messages.map(({ message }) => message);
      const { text, shown } = envelopeOf(texts, shared.length > 1);
      if (wakes()) judge.woke(session);
      const asked = hook;
      hook = null;
      const ids = texts.slice(0, shown).map(({ id }) => shortId(id));
      // Before they leave: the model may be quicker than the adapter's word.
      hearing.posted(ids);
      try {
        if (asked) asked.take(text);
        else await inbox.post(text);
      } catch (error) {
        hearing.forget(ids);
        throw error;
      }
      transcript.look();
      return { shown, rest: texts.length > MOST_IN_LINES ? "counted" : "waits" };
    },
  };

  const box = createPostBox(peer, session, carrier);
  transcript = follow(session.id);
  const stopWatching = files.onState(client, guarded(refresh));
  transcript.look();
  files
    .bypasses(client)
    .then((yes) => {
      if (yes) sessions.see(session, { bypasses: true });
      isKnown = true;
      refresh();
      box.look();
    })
    .catch(failed);

  return {
    client,
    reach: () => (client.inbox ? "inbox" : hasWaited ? "wake" : "context"),
    trouble() {
      if (session.deaf) return "what was posted to it didn't come to its model";
      const inbound = client.inbox ? files.inbound(client.config) : "accept";
      if (inbound !== "accept") return `its person has set crossSessionInbound: ${inbound}`;
      return session.bypasses ? judge.aboutBypassing() : null;
    },
    heardAt: () => heardAt,
    check,
    offer(next) {
      hook?.take(null);
      hook = next;
      hasWaited ||= next.waits;
      box.look();
      if (next.waits || hook === null) return;
      hook = null;
      next.take(null);
    },
    withdraw(one) {
      if (hook === one) hook = null;
    },
    look: box.look,
    refresh,
    posted: inbox.posted,
    close() {
      closed = true;
      box.close();
      stopWatching();
      transcript.close();
      hearing.close();
      inbox.close();
      hook?.take(null);
    },
  };
}

function doingOf(status: string): SessionStatus | null {
  if (status === "idle" || status === "waiting") return status;
  return status === "busy" ? "working" : null;
}
