/**
 * Somebody with all keys that they ever held, against all that a broker holds: every key is tried on every record, as its
 * database has it, without a look at who it is for.
 */
import { nodeCurves } from "#adapters/curves.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import { MIGRATIONS } from "#broker/adapters/sqlite-migrations.ts";
import { fromUtf8 } from "#protocol/bytes.ts";
import { labelContentKey, memberSealingSecret, pairKey, recordKey } from "#protocol/derive.ts";
import { CHAIN } from "#protocol/ids.ts";
import { decodeRecord, type SealedRecord } from "#protocol/record.ts";
import { openBody } from "#protocol/seal.ts";
import type { Member } from "./mesh.ts";

/** Secrets from which a content key can be made; `pairs`: content keys themselves. */
export type Held = { workspace: string; secrets: readonly Uint8Array[]; pairs: readonly Uint8Array[] };

export type Kept = { seq: number; record: SealedRecord };

/** All that a member's device has, or can make, today: keys of epochs and topics, and of every pair that it is one of. */
export async function holdings(member: Member): Promise<Held> {
  const { workspace } = member.opened();
  const { account } = member.peer;
  const { topicKeys, keyring } = workspace;
  const chain = workspace.chain();
  const epochs = chain?.epochs.map(({ number }) => keyring.workspaceKey(number)) ?? [];
  const topics = topicKeys
    .labels()
    .flatMap((label) =>
      Array.from({ length: 100 }, (_, generation) => topicKeys.candidates(label, generation)),
    )
    .flat();
  const pairs: Uint8Array[] = [];
  for (const { number, secret } of account.seeds) {
    const own = memberSealingSecret(secret, account.user, workspace.id, number);
    for (const one of chain?.members.values() ?? [])
      for (const publicKey of one.sealings.values()) pairs.push(await pairKey(nodeCurves, own, publicKey));
  }
  return {
    workspace: workspace.id,
    secrets: [...epochs.filter((key) => key !== null), ...topics],
    pairs,
  };
}

/** What a broker's database has, the plaintext chain left out. */
export function keptBy(path: string): Kept[] {
  const database = openSqlite(path, MIGRATIONS);
  const rows = database.sql("SELECT seq, bytes FROM records WHERE label <> ? ORDER BY seq").all(CHAIN);
  database.close();
  return rows.map(({ seq, bytes }) => {
    if (!(bytes instanceof Uint8Array)) throw new Error("bytes is a blob by its schema");
    return { seq: Number(seq), record: decodeRecord(bytes) };
  });
}

/** Those that open, with what they say. */
export function openEverything({ workspace, secrets, pairs }: Held, records: readonly Kept[]) {
  return records.flatMap(({ seq, record }) => {
    const contents = [
      ...secrets.map((secret) => labelContentKey(secret, record.header.to)),
      ...pairs,
      ...secrets,
    ];
    for (const content of contents) {
      try {
        const json = openBody(recordKey(content, workspace, record.headerBytes), record.body);
        return [{ seq, from: record.header.from, to: record.header.to, text: fromUtf8(json) }];
      } catch {
        // Another key.
      }
    }
    return [];
  });
}
