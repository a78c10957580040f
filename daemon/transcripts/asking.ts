/**
 * Questions what a session did: asked of the machine that holds it, and answered from its transcript, for who may ask. What
 * comes from another machine is somebody's words and is fenced as such.
 */
import { type ErrorCode, errorShape, MeshError } from "#protocol/errors.ts";
import type { Decision } from "#protocol/features/approval.ts";
import { type SessionQuestion, type TranscriptAnswer, transcriptAnswer } from "#protocol/features/ask.ts";
import { holderOf } from "#sdk/features/session.ts";
import { findPeer, resolveAddress } from "#sdk/messages/address.ts";
import { memberNames } from "#sdk/messages/names.ts";
import type { Opened, Peer } from "#sdk/peer.ts";
import type { Answering } from "#sdk/presence/self.ts";
import type { Workspace } from "#sdk/workspace.ts";
import { fenced } from "../delivery/fence.ts";
import { type Reading, readSession } from "./reading.ts";
import { wordsOf } from "./words.ts";

/** Longer than the other machine may read; shorter than a verb waits. */
const ANSWER_MS = 9000;
const DEFAULT_SINCE_MS = 24 * 60 * 60 * 1000;
/** One who is refused over and over is written down once in this time. */
const REFUSED_AGAIN_MS = 60_000;

/** Who asked whom about which session, and what became of it; nothing of what was said. */
export type AskRecord = {
  at: string;
  method: "session.ask";
  /** Which of the two this machine was. */
  side: "asking" | "asked";
  workspace: string;
  asker: { member: string; name: string };
  asked: { member: string; name: string };
  session: string | null;
  entries: number;
  decision: "granted" | "refused" | "failed";
};

/** As a line of the log of decisions. */
export function decisionOf({
  at,
  method,
  side,
  workspace,
  asker,
  asked,
  session,
  entries,
  decision,
}: AskRecord): Decision {
  return {
    at,
    who: side === "asked" ? "colleague" : "person",
    session,
    method,
    scope: "read",
    workspace,
    approval: null,
    decision: decision === "granted" ? "allowed" : decision,
    by: null,
    reason: `${asker.name} asked ${asked.name} what a session did: ${entries} entries`,
  };
}

type Told = Pick<AskRecord, "side" | "session" | "entries" | "decision"> & { asker: string; asked: string };

export type MayAsk = (workspace: Workspace, member: string, session: string | null) => boolean;

export type Asking = {
  /** @throws MeshError refused, offline, not_found, busy, unknown_address, ambiguous */
  ask(what: {
    workspace?: string | undefined;
    peer: string;
    question: string;
    sinceMs?: number | undefined;
  }): Promise<TranscriptAnswer>;
  /** Another machine's question; undefined for any other. @throws MeshError which goes back */
  answer: Answering;
};

export function createAsking(
  reading: Reading,
  { mayAsk, record }: { mayAsk: MayAsk; record(decision: AskRecord): void },
): Asking {
  const { peer } = reading;
  const refusedAt = new Map<string, number>();
  /** Who is being answered: one question of each at a time. */
  const answering = new Set<string>();

  const note = ({ slug, workspace }: Opened, { asker, asked, side, ...rest }: Told) => {
    const named = (member: string) => ({ member, name: memberNames(workspace).get(member) ?? member });
    record({
      at: new Date(peer.now()).toISOString(),
      method: "session.ask",
      side,
      workspace: slug,
      asker: named(asker),
      asked: named(asked),
      ...rest,
    });
  };

  /** The first time in a while that this member is refused. */
  const isFirstRefusal = (member: string): boolean => {
    const before = refusedAt.get(member) ?? Number.NEGATIVE_INFINITY;
    const isFirst = peer.now() - before >= REFUSED_AGAIN_MS;
    if (isFirst) refusedAt.set(member, peer.now());
    return isFirst;
  };

  const answer = async (question: SessionQuestion, asker: string, where: Opened) => {
    const session = question.session ?? peer.sessions()[0]?.name ?? null;
    const told = { side: "asked", asker, asked: where.workspace.me, session } as const;
    // Before anything is looked up: who may not ask doesn't hear what there is.
    if (!mayAsk(where.workspace, asker, session)) {
      if (isFirstRefusal(asker)) note(where, { ...told, entries: 0, decision: "refused" });
      throw new MeshError("refused", "That isn't granted.", "See `claudemesh help ask`.");
    }
    if (answering.has(asker)) throw busy();
    answering.add(asker);
    try {
      const found = await readSession(reading, session, question);
      note(where, { ...told, entries: entriesIn(found), decision: "granted" });
      return found;
    } finally {
      answering.delete(asker);
    }
  };

  return {
    async ask({ workspace: selector, peer: text, question: words, sinceMs }) {
      const { opened, member, session } = whom(peer, selector, text);
      const { workspace } = opened;
      const { about, limit, sinceMs: said } = wordsOf(words);
      const since = sinceMs ?? said ?? DEFAULT_SINCE_MS;
      const question: SessionQuestion = { kind: "session.ask", session, about, sinceMs: since, limit };
      const told = { side: "asking", asker: workspace.me, asked: member, session } as const;
      const name = memberNames(workspace).get(member) ?? member;
      try {
        const dev = await deviceFor(peer, workspace, member, session);
        const answer =
          dev === null
            ? await readSession(reading, session ?? peer.sessions()[0]?.name ?? null, question)
            : transcriptAnswer.parse(await workspace.signals.ask(dev, question, ANSWER_MS));
        note(opened, { ...told, entries: entriesIn(answer), decision: "granted" });
        return fencedAnswer(answer, name);
      } catch (error) {
        const { code } = errorShape(error);
        note(opened, { ...told, entries: 0, decision: code === "refused" ? "refused" : "failed" });
        // Only the code is believed: the words are another machine's.
        throw failure(code, name, session, memberNames(workspace).get(workspace.me) ?? "NAME");
      }
    },
    answer: (question, { member }, where) =>
      question.kind === "session.ask" ? answer(question, member, where) : undefined,
  };
}

/** @throws MeshError unknown_address, ambiguous, usage */
function whom(peer: Peer, selector: string | undefined, text: string) {
  const { opened, id } = findPeer(peer, selector, text);
  const { toSession, group } = resolveAddress(peer, opened.workspace, text);
  if (group === null && toSession !== "*") return { opened, member: id, session: toSession };
  throw new MeshError("usage", `"${text}" is more than one session.`, "Ask one: alice, or alice/payments.");
}

/** The machine that holds the session, or whose session was active last; null for this one. @throws MeshError offline, not_found */
async function deviceFor(
  peer: Peer,
  workspace: Workspace,
  member: string,
  session: string | null,
): Promise<string | null> {
  const isMine = member === workspace.me;
  const here = peer.account.device.id;
  if (session === null) {
    if (isMine && peer.sessions().length > 0) return null;
    await workspace.presence.refresh();
    const devices = workspace.presence.present().filter((one) => one.member === member);
    const [first] = devices.filter(({ face }) => face.sessions !== "");
    if (first) return first.dev;
    throw new MeshError(devices.length > 0 ? "not_found" : "offline", "No session of theirs is there.");
  }
  const holder = holderOf(workspace, member, session);
  if (isMine && (holder === null || holder === here || peer.sessions().some(({ name }) => name === session)))
    return null;
  if (holder === null) throw new MeshError("not_found", "Nobody holds that name.");
  await workspace.presence.refresh();
  return holder;
}

function entriesIn({ files, commands, tests, summary }: TranscriptAnswer): number {
  return files.length + commands.length + tests.length + (summary ? 1 : 0);
}

/** Each entry in one line, and nothing in any of them that a client would obey. */
function fencedAnswer(answer: TranscriptAnswer, member: string): TranscriptAnswer {
  const line = (text: string) => fenced(text).replace(/\s+/g, " ");
  const maybe = (text: string | null) => (text === null ? null : line(text));
  const { session, files, commands, tests, summary } = answer;
  return {
    ...answer,
    session: {
      ...session,
      address: `${member}/${line(session.address.split("/").at(-1) ?? "")}`,
      model: maybe(session.model),
      branch: maybe(session.branch),
    },
    files: files.map((file) => ({ ...file, path: line(file.path) })),
    commands: commands.map((run) => ({ ...run, command: line(run.command) })),
    tests: tests.map((run) => ({ ...run, command: line(run.command), line: maybe(run.line) })),
    summary: summary && { ...summary, text: fenced(summary.text) },
  };
}

function busy(): MeshError {
  return new MeshError("busy", "Another question of yours is being answered.", "Try again in a moment.");
}

function failure(code: ErrorCode, name: string, session: string | null, me: string): MeshError {
  const address = session === null ? name : `${name}/${session}`;
  switch (code) {
    case "refused":
      return new MeshError(
        "refused",
        `${name} doesn't let you ask what ${address} did.`,
        `${name} allows it by \`claudemesh peer grant ${me} ask\`.`,
      );
    case "offline":
    case "timeout":
      return new MeshError(
        code,
        code === "offline"
          ? `The machine of ${address} isn't online.`
          : `The machine of ${address} didn't answer in time.`,
        `Ask again when \`claudemesh peers\` shows it, or write: claudemesh send ${address} "…"`,
      );
    case "not_found":
      return new MeshError(
        "not_found",
        `There is no transcript of ${address}: no Claude session, or it has said nothing yet.`,
        "See `claudemesh peers` for those that are there.",
      );
    case "busy":
      return busy();
    case "unknown_method":
      return new MeshError(
        "version_skew",
        `${name}'s claudemesh can't be asked yet.`,
        "It is to be updated.",
      );
    default:
      return new MeshError(
        "unexpected",
        `The machine of ${address} couldn't answer.`,
        "See `claudemesh logs`.",
      );
  }
}
