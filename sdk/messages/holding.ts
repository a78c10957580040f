/** Held messages, and how their person ends that: shown after all, or to nobody. */
import { MeshError } from "#protocol/errors.ts";
import type { Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { become, type Given } from "./handing-over.ts";
import { findMessage } from "./inbox.ts";
import { markRead } from "./marks.ts";

type Which = {
  workspace?: string | undefined;
  ids?: readonly string[] | undefined;
  all?: boolean | undefined;
};

/** With all of its deliveries that are held; a message to several sessions has some. */
type Held = { opened: Opened; id: string; given: readonly Given[] };

/** Ends the holding of those meant. @throws MeshError usage, not_found, ambiguous, refused */
export function endHolding(
  peer: Peer,
  { workspace: selector, ids = [], all }: Which,
  end: (peer: Peer, workspace: Workspace, given: readonly Given[]) => void,
): { id: string; workspace: string }[] {
  if ((all === true) === ids.length > 0)
    throw new MeshError("usage", "Some ids, or all of them.", "See `claudemesh inbox --held`.");
  const among = peer.readable(selector);
  // All are found before the first is touched.
  const held = all
    ? among.flatMap((opened) => heldIn(opened, null))
    : ids.map((part) => oneHeld(among, part));
  for (const { opened, given } of held) end(peer, opened.workspace, given);
  return held.map(({ opened, id }) => ({ id, workspace: opened.slug }));
}

/** @throws MeshError not_found, ambiguous, refused */
function oneHeld(among: readonly Opened[], part: string): Held {
  const { opened, id } = findMessage(among, part, "any");
  const [held] = heldIn(opened, id);
  if (held) return held;
  const isKept = opened.workspace.replica.db
    .sql("SELECT 1 FROM deliveries WHERE id = ? AND state = 'kept'")
    .get(id);
  throw isKept
    ? new MeshError("refused", `The session's client has ${part} and asks its person.`, "Answer it there.")
    : new MeshError("not_found", `The message ${part} isn't held.`, "See `claudemesh inbox --held`.");
}

function heldIn(opened: Opened, id: string | null): Held[] {
  const rows = opened.workspace.replica.db
    .sql(
      `SELECT sender, id, session FROM deliveries
       WHERE (state = 'held' OR state = 'given' AND reason IS NOT NULL) AND (?1 IS NULL OR id = ?1) ORDER BY id`,
    )
    .all(id)
    .map((row) => ({ sender: String(row.sender), id: String(row.id), session: String(row.session) }));
  const ids = [...new Set(rows.map((row) => row.id))];
  return ids.map((one) => ({ opened, id: one, given: rows.filter((row) => row.id === one) }));
}

/** Shown as soon as the session is there, whatever would hold it. */
export function release(peer: Peer, workspace: Workspace, given: readonly Given[]): void {
  const { db } = workspace.replica;
  const attached = new Set(peer.sessions().map(({ name }) => name));
  db.transaction(() => {
    for (const { sender, id, session } of given) {
      const isThere = attached.has(session);
      db.sql(
        `UPDATE OR REPLACE deliveries SET state = ?4, session = ?5, reason = NULL, released = 1
         WHERE sender = ?1 AND id = ?2 AND session = ?3`,
      ).run(sender, id, session, isThere ? "given" : "returned", isThere ? session : "");
    }
  });
  for (const one of given) if (attached.has(one.session)) workspace.tell({ type: "given", ...one });
}

/** Shown to no session any more, and read: its person has decided about it. */
export function drop(peer: Peer, workspace: Workspace, given: readonly Given[]): void {
  become(peer, workspace, given, "dropped", { state: "refused", reason: "dropped" });
  const ids = given.map(({ id }) => id);
  markRead(workspace, ids);
}
