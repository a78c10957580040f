/** Which labels this device follows, beside those that it always does. */
import { MeshError } from "#protocol/errors.ts";
import type { Link } from "../link/link.ts";
import { isFollowed, type Replica } from "./replica.ts";

export type Labels = {
  followed(): string[];
  follows(label: string): boolean;
  /** Whether it ever was. */
  wasFollowed(label: string): boolean;
  /** Whether all that was said there before it was followed is here. */
  isComplete(label: string): boolean;
  /** Wants the records of a label from now on; earlier ones come by `history`. */
  follow(label: string, name: string): Promise<void>;
  unfollow(label: string): void;
};

export function createLabels(replica: Replica, link: () => Link | null): Labels {
  const { db } = replica;
  const online = () => (link()?.state() === "online" ? link() : null);
  return {
    followed: () =>
      db
        .sql("SELECT label FROM labels WHERE joined = 1")
        .all()
        .map((row) => String(row.label)),
    follows: (label) => isFollowed(db, label),
    wasFollowed: (label) => db.sql("SELECT 1 FROM labels WHERE label = ?").get(label) !== undefined,
    isComplete: (label) =>
      db.sql("SELECT 1 FROM labels WHERE label = ? AND complete = 1").get(label) !== undefined,
    async follow(label, name) {
      db.sql(
        `INSERT INTO labels (label, name, since, complete, joined) VALUES (?1, ?2, ?3, 0, 1)
         ON CONFLICT DO UPDATE SET since = ?3, complete = 0, joined = 1`,
      ).run(label, name, replica.cursor());
      // What came between the cursor and the broker's head was not pushed under this label: it is history.
      const answer = await online()?.subscribe([label]).catch(subscribedByTheNextHello);
      if (answer) db.sql("UPDATE labels SET since = max(since, ?) WHERE label = ?").run(answer.head, label);
    },
    unfollow(label) {
      db.sql("UPDATE labels SET joined = 0 WHERE label = ?").run(label);
      online()?.send({ type: "unsubscribe", labels: [label] });
    },
  };
}

/** The link broke meanwhile: the next hello names the label, and the cursor says from where. */
function subscribedByTheNextHello(error: unknown): { head: number } {
  if (error instanceof MeshError && error.code === "offline") return { head: 0 };
  throw error;
}
