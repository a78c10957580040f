/** What this device shows and answers of itself. */
import { MeshError } from "#protocol/errors.ts";
import {
  type Face,
  MARK_LETTERS,
  type SessionFace,
  type SessionStatus,
  sessionStatus,
} from "#protocol/features/member.ts";
import { CHAIN, EVERYONE } from "#protocol/ids.ts";
import type { Question } from "#protocol/signal.ts";
import type { Context, Teller } from "../context.ts";
import { fittingFace } from "./presence.ts";

/** Shared labels whose counters a face has room for. */
const COUNTERS = 8;

/** The name of the cell that says who holds a session's name. */
export function claimCell(session: string): string {
  return `session:${session}`;
}

/** How a session that is there stands in a face: the beginning of its claim's key tells which. */
export function liveMark(key: string, status: SessionStatus): string {
  return key.slice(0, 4) + MARK_LETTERS[status];
}

export function statusOf(mark: string): SessionStatus {
  return sessionStatus.options.find((status) => mark.endsWith(MARK_LETTERS[status])) ?? "idle";
}

/** @throws Error before the genesis is here */
export function faceOf(context: Context, boot: string, sessions: readonly SessionFace[]): Face {
  const { keyring, replica } = context;
  const { head } = context.index().chain;
  const inOrder = sessions.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const live = inOrder.flatMap(({ name, status }) => {
    const key = keyring.cellKey(EVERYONE, claimCell(name));
    return key ? liveMark(key, status) : [];
  });
  const counters = { through: replica.cursor(), n: committedNumbers(context) };
  return fittingFace({ boot, head, counters, sessions: "" }, live);
}

/** What this device has appended to labels that everybody can follow, private topics left out, without what still waits in the outbox. */
function committedNumbers({ replica, chain, topicKeys }: Context): Record<string, number> {
  const rows = replica.db
    .sql(
      `SELECT label, n - (SELECT count(*) FROM outbox o WHERE o.label = c.label AND o.n > 0) AS n FROM counters c
       ORDER BY label = ? DESC, n DESC`,
    )
    .all(EVERYONE)
    .map(({ label, n }) => ({ label: String(label), n: Number(n) }))
    .filter(
      ({ label, n }) =>
        n > 0 && label !== CHAIN && !topicKeys.has(label) && !chain.known.state?.members.has(label),
    );
  return Object.fromEntries(rows.slice(0, COUNTERS).map(({ label, n }) => [label, n]));
}

/** Answers another device's question; undefined for what it knows nothing of. @throws MeshError which goes back */
export type Answering = (question: Question, from: Teller) => unknown;

export function answerTo(sessions: () => readonly SessionFace[], more: Answering) {
  return async (question: Question, from: Teller): Promise<unknown> => {
    if (question.kind === "member.sessions") return { sessions: sessions() };
    const answer = await more(question, from);
    if (answer !== undefined) return answer;
    throw new MeshError(
      "unknown_method",
      "This device doesn't know that question.",
      "Update claudemesh there.",
    );
  };
}
