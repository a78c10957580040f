/** Records of a label from before this device subscribed, fetched page by page when somebody asks for them. */
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import { decodeRecord, type SealedRecord } from "#protocol/record.ts";
import type { Link } from "../link/link.ts";
import type { Replica } from "./replica.ts";
import type { Taken } from "./sync.ts";

export type History = {
  /** Fetches until at least `wanted` records of the label are here, or there are no more, or the broker is away. */
  fill(label: string, name: string, wanted: number): Promise<void>;
  /** Fetches what the broker has of the label behind that sequence and isn't here. @throws MeshError offline */
  refetch(label: string, since: number): Promise<void>;
};

export type HistoryOwner = {
  verify(record: SealedRecord, seq: number): Promise<void>;
  open(record: SealedRecord, seq: number): Promise<Pick<Taken, "status" | "event">>;
  commit(taken: readonly Taken[]): Promise<void>;
};

const BEYOND_ANY_HEAD = 2 ** 52;

export function createHistory(replica: Replica, link: () => Link | null, owner: HistoryOwner): History {
  const { db } = replica;

  const held = (label: string, since: number) =>
    Number(
      db.sql("SELECT count(*) AS held FROM records WHERE label = ? AND seq > ?").get(label, since)?.held ?? 0,
    );

  const take = async (
    items: readonly { seq: number; at: number; record: Uint8Array }[],
  ): Promise<Taken[]> => {
    const taken: Taken[] = [];
    for (const { seq, at, record: bytes } of items) {
      try {
        const record = decodeRecord(bytes);
        await owner.verify(record, seq);
        taken.push({ seq, at, record, height: null, ...(await owner.open(record, seq)) });
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        replica.refuse(seq, error.code, at);
      }
    }
    return taken;
  };

  const isHere = (seq: number) => db.sql("SELECT 1 FROM records WHERE seq = ?").get(seq) !== undefined;

  return {
    async refetch(label, since) {
      for (let before = BEYOND_ANY_HEAD; ; ) {
        const online = link();
        if (!online) return;
        const items: { seq: number; at: number; record: Uint8Array }[] = [];
        const { more } = await online.read(label, before, LIMITS.page, (item) => items.push(item));
        await owner.commit(await take(items.filter(({ seq }) => seq > since && !isHere(seq))));
        before = Math.min(before, ...items.map(({ seq }) => seq));
        if (!more || before <= since) return;
      }
    },
    async fill(label, name, wanted) {
      // A label that isn't followed misses whatever came since it was last looked at: begin at the newest again.
      db.sql(
        `INSERT INTO labels (label, name, since, complete, joined) VALUES (?1, ?2, ?3, 0, 0)
         ON CONFLICT DO UPDATE SET since = ?3, complete = 0 WHERE joined = 0`,
      ).run(label, name, BEYOND_ANY_HEAD);
      for (;;) {
        const row = db.sql("SELECT since, complete FROM labels WHERE label = ?").get(label);
        const since = Number(row?.since ?? 0);
        const online = link()?.state() === "online" ? link() : null;
        const missing = wanted - held(label, since);
        if (!row || row.complete === 1 || missing <= 0 || !online) return;
        const items: { seq: number; at: number; record: Uint8Array }[] = [];
        const { more } = await online.read(label, since + 1, Math.min(LIMITS.page, missing), (item) =>
          items.push(item),
        );
        await owner.commit(await take(items));
        const lowest = Math.min(since, ...items.map(({ seq }) => seq - 1));
        db.sql("UPDATE labels SET since = ?, complete = ? WHERE label = ?").run(lowest, more ? 0 : 1, label);
      }
    },
  };
}
