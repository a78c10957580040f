/** Which of my sessions gets a message, and what becomes of one for a session that I never had. */
import type { Message } from "#protocol/features/message.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { Happening } from "../context.ts";
import { namesOf } from "../messages/address.ts";
import { handOver, markCutShort } from "../messages/handing-over.ts";
import { messageById } from "../messages/inbox.ts";
import { memberNames } from "../messages/names.ts";
import type { Opened, Peer } from "../peer.ts";
import { isShared } from "./focus.ts";
import { forwardedName } from "./session.ts";

type Said = Extract<Happening, { type: "applied" }>;

/**
 * A message to me, or to a room that I am in, is one session's: the last active. Decided once, when it comes; with several
 * machines, by the one that has the focus.
 */
export function giveToSession(peer: Peer) {
  const begun = new WeakSet<Opened>();

  return (opened: Opened, happening: Happening): void => {
    const { workspace } = opened;
    if (!begun.has(opened)) markCutShort(opened);
    begun.add(opened);
    if (happening.type !== "applied" || !happening.isNew || happening.event.kind !== "message") return;
    const { event, record } = happening;
    const isOwnNote = record.from === workspace.me && record.label !== workspace.me;
    if (event.toSession !== undefined || isOwnNote || isShared(workspace)) return;
    handOver(peer, workspace, { sender: record.from, id: record.id, session: event.session ?? null });
  };
}

/** What has just come, if it is that session's to hear: addressed to it, to all of them, or given to it. */
export function messageFor(where: Opened, happening: Happening, session: string): Message | null {
  if (happening.type === "given") {
    return happening.session === session ? messageById(where, happening.sender, happening.id) : null;
  }
  if (happening.type !== "applied" || !happening.isNew || happening.event.kind !== "message") return null;
  const { event, record } = happening;
  const { db } = where.workspace.replica;
  const isIncoming = db
    .sql("SELECT 1 FROM messages WHERE sender = ? AND id = ? AND incoming = 1")
    .get(record.from, record.id);
  if (!isIncoming || (record.from === where.workspace.me && event.session === session)) return null;
  const { toSession } = event;
  return toSession === session || toSession === "*" ? messageById(where, record.from, record.id) : null;
}

/** The sender's replica may not have known that the name isn't held here: it is told at once, with the nearest. */
export function bounceUnknown(peer: Peer) {
  return ({ workspace }: Opened, happening: Happening): void => {
    if (!isForMySession(happening, workspace.me)) return;
    const { event, record } = happening;
    const wanted = event.kind === "message" ? (event.toSession ?? "*") : "*";
    if (wanted === "*") return;
    const known = namesOf(peer, workspace, workspace.me);
    if (known.has(forwardedName(workspace, workspace.me, wanted))) return;
    const me = memberNames(workspace).get(workspace.me) ?? "";
    const nearest = [...known].map((name) => `${me}/${name}`);
    const hint = didYouMean(`${me}/${wanted}`, nearest, `Write to ${me}.`);
    workspace.replica.db
      .sql(
        `INSERT INTO receipts_due (id, member, state, at, detail) VALUES (?, ?, 'refused', ?, ?) ON CONFLICT DO NOTHING`,
      )
      .run(record.id, record.from, Math.floor(peer.now()), `There is no session "${wanted}". ${hint}`);
  };
}

function isForMySession(happening: Happening, me: string): happening is Said {
  if (happening.type !== "applied" || !happening.isNew || happening.event.kind !== "message") return false;
  return happening.record.label === me && happening.record.from !== me && happening.record.seq !== null;
}
