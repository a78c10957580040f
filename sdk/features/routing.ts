/** Which of my sessions gets a message, and what becomes of one for a session that I never had. */
import type { MessageEvent } from "#protocol/features/message.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { Happening } from "../context.ts";
import { namesOf } from "../messages/address.ts";
import { give, giveWaiting, takeBack, takeUp } from "../messages/handing-over.ts";
import { memberNames } from "../messages/names.ts";
import { insertOwed } from "../messages/owing.ts";
import type { Opened, Peer } from "../peer.ts";
import { isShared } from "./focus.ts";
import { forwardedName } from "./session.ts";
import { isMuted } from "./topic.ts";

type Said = Extract<Happening, { type: "applied" }>;
type NewMessage = Said & { event: MessageEvent };

/** So long a room's message is news; what is older is history that has come late. */
const ROOM_NEWS_MS = 24 * 60 * 60 * 1000;

/**
 * Gives what comes to my sessions, and what waited to a session that comes. What is for no session in particular is one
 * session's; with several machines, it is given by the one that has the focus.
 */
export function giveToSession(peer: Peer) {
  const begun = new WeakSet<Opened>();
  const attached = new WeakMap<Opened, ReadonlySet<string>>();

  const sessionsChanged = (opened: Opened) => {
    const before = attached.get(opened) ?? new Set();
    const now = new Set(peer.sessions().map(({ name }) => name));
    attached.set(opened, now);
    const gone = [...before].filter((name) => !now.has(name));
    for (const name of gone) takeBack(opened.workspace, name);
    const isChanged = gone.length > 0 || [...now].some((name) => !before.has(name));
    if (isChanged && now.size > 0) giveWaiting(peer, opened.workspace, isShared(opened.workspace));
  };

  return (opened: Opened, happening: Happening): void => {
    const { workspace } = opened;
    if (!begun.has(opened)) takeUp(workspace);
    begun.add(opened);
    if (happening.type === "sessions") sessionsChanged(opened);
    if (!isNewMessage(happening)) return;
    const { event, record } = happening;
    const toSession = event.toSession ?? null;
    if (record.label !== workspace.me) {
      const isNews = peer.now() - (record.at ?? 0) < ROOM_NEWS_MS;
      const isQuiet = isMuted(workspace, record.label) && !event.mentions.includes(workspace.me);
      if (record.from === workspace.me || !isNews || isQuiet) return;
    }
    if (toSession === null && isShared(workspace)) return;
    give(peer, workspace, { sender: record.from, id: record.id, session: event.session ?? null, toSession });
  };
}

/** The sender's replica may not have known that the name isn't held here: it is told at once, with the nearest. */
export function bounceUnknown(peer: Peer) {
  return ({ workspace }: Opened, happening: Happening): void => {
    if (!isForMySession(happening, workspace.me)) return;
    const { event, record } = happening;
    const wanted = event.toSession ?? "*";
    if (wanted === "*") return;
    const known = namesOf(peer, workspace, workspace.me);
    if (known.has(forwardedName(workspace, workspace.me, wanted))) return;
    const me = memberNames(workspace).get(workspace.me) ?? "";
    const nearest = [...known].map((name) => `${me}/${name}`);
    const hint = didYouMean(`${me}/${wanted}`, nearest, `Write to ${me}.`);
    insertOwed(workspace.replica.db, {
      sender: record.from,
      id: record.id,
      state: "refused",
      at: peer.now(),
      detail: `There is no session "${wanted}". ${hint}`,
    });
  };
}

function isNewMessage(happening: Happening): happening is NewMessage {
  return happening.type === "applied" && happening.isNew && happening.event.kind === "message";
}

function isForMySession(happening: Happening, me: string): happening is NewMessage {
  if (!isNewMessage(happening)) return false;
  return happening.record.label === me && happening.record.from !== me && happening.record.seq !== null;
}
