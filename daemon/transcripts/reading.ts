/** A session of this machine, told by its transcript: one that is attached, or one that has ended and whose name is kept. */
import { MeshError } from "#protocol/errors.ts";
import type { SessionQuestion, TranscriptAnswer } from "#protocol/features/ask.ts";
import type { Peer } from "#sdk/peer.ts";
import type { Delivery } from "../delivery/delivery.ts";
import type { ClaudeFiles } from "../ports.ts";
import type { AttachedSession, Sessions } from "../sessions.ts";
import { collect, shownSummary } from "./collect.ts";
import { fitting } from "./fitting.ts";
import { projectAt } from "./project.ts";

export type Reading = {
  peer: Peer;
  sessions: Pick<Sessions, "find">;
  delivery: Pick<Delivery, "configOf" | "refresh">;
  files: Pick<ClaudeFiles, "readBack">;
};

type Asked = Pick<SessionQuestion, "about" | "sinceMs" | "limit">;

/** @throws MeshError not_found */
export async function readSession(
  { peer, sessions, delivery, files }: Reading,
  name: string | null,
  { about, sinceMs, limit }: Asked,
): Promise<TranscriptAnswer> {
  // After /clear it is another transcript, maybe since just now.
  delivery.refresh();
  const known = name === null ? null : rowOf(peer, name);
  if (!known) throw noTranscript();
  const attached = sessions.find(known.name);
  const lines = files.readBack({ session: known.id, config: attached && delivery.configOf(attached) });
  if (!lines) throw noTranscript();
  const now = peer.now();
  const since = now - sinceMs;
  const project = projectAt(known.cwd);
  const found = await collect(lines, project, { about, since, limit }, peer.ports.clock);
  const from = found.reachedSince ? since : Math.max(since, found.oldest ?? since);
  const ownLine = about.includes("summary") ? lineOf(attached, known.cwd) : null;
  return {
    session: {
      address: `${peer.account.name}/${known.name}`,
      status: attached?.status ?? null,
      model: found.model ?? attached?.model ?? null,
      branch: found.branch ?? attached?.branch ?? null,
    },
    about: [...about],
    since: new Date(from).toISOString(),
    until: new Date(found.newest ?? now).toISOString(),
    summary: found.summary ?? ownLine,
    ...fitting({ ...found, summary: found.summary ?? ownLine }, limit),
  };
}

/** Under the name that it has now. */
function rowOf(peer: Peer, name: string): { name: string; id: string; cwd: string } | null {
  const find = (one: string) =>
    peer.database.sql("SELECT name, id, cwd, forwards FROM sessions WHERE name = ?").get(one);
  const first = find(name);
  const row = first && first.forwards !== null ? find(String(first.forwards)) : first;
  return row ? { name: String(row.name), id: String(row.id), cwd: String(row.cwd) } : null;
}

/** What its person says of it. */
function lineOf(attached: AttachedSession | null, cwd: string): TranscriptAnswer["summary"] {
  if (!attached?.summary) return null;
  return { from: "session", at: null, text: shownSummary(attached.summary, projectAt(cwd), cwd) };
}

function noTranscript(): MeshError {
  return new MeshError("not_found", "There is no transcript of that session.", "");
}
