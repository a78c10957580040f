/** What changes an account's devices, each inside the caller's transaction: they come in, and they fall. */
import { deviceEntry } from "#protocol/account/api.ts";
import { deviceLine } from "#protocol/certificate.ts";
import type { Database } from "#protocol/ports.ts";
import type { AccountDocument, Entry, Rotation } from "../accounts/store.ts";

export function enterDevice(
  database: Database,
  { user, entry, at, family }: Entry,
  { onlyVouched, most }: { onlyVouched: boolean; most: number } = { onlyVouched: false, most: 1 },
): "entered" | "revoked" | "unknown" | "full" {
  const line = deviceLine(entry.device);
  const [id = "", ...via] = line;
  const revoked = revokedOf(database, user);
  if (line.some((one) => revoked.has(one))) return "revoked";
  const isIn = (one: string) =>
    database.sql("SELECT 1 FROM devices WHERE id = ? AND user = ?").get(one, user) !== undefined;
  const isKnown = isIn(id);
  if (onlyVouched && (isKnown || via.length === 0 || !via.every(isIn))) return "unknown";
  const count = database.sql("SELECT count(*) AS count FROM devices WHERE user = ?").get(user);
  if (!isKnown && Number(count?.count) >= most) return "full";
  database
    .sql(
      `INSERT INTO devices (user, id, entry, sealing, entered_at, last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
       ON CONFLICT (id, user) DO UPDATE SET entry = ?3, sealing = ?4, entered_at = ?5, last_seen_at = ?5`,
    )
    .run(user, id, JSON.stringify(entry), entry.sealing, at);
  endFamilies(database, user, id, at);
  database
    .sql("INSERT INTO families (id, user, device, current, expires_at) VALUES (?, ?, ?, ?, ?)")
    .run(family.id, user, id, family.current, family.expiresAt);
  return "entered";
}

/** False, with nothing changed, when the document that is there isn't the version before. */
export function keepDocument(database: Database, user: string, { version, box }: AccountDocument): boolean {
  if (versionOf(database, user) + 1 !== version) return false;
  database
    .sql(
      `INSERT INTO documents (user, version, box) VALUES (?1, ?2, ?3)
       ON CONFLICT (user) DO UPDATE SET version = ?2, box = ?3`,
    )
    .run(user, version, box);
  return true;
}

/** False, with nothing changed, when something has changed since this was made. */
export function rotateSeed(database: Database, rotation: Rotation): boolean {
  const { user, by, number, contents, document, seeds, revoke, at } = rotation;
  const account = database.sql("SELECT seed_number FROM accounts WHERE user = ?").get(user);
  if (Number(account?.seed_number) + 1 !== number) return false;
  if (versionOf(database, user) + 1 !== document.version) return false;
  const devices = devicesOf(database, user);
  const revoked = revokedOf(database, user);
  for (const id of revoke) revoked.add(id);
  const stays = ({ line }: { line: string[] }) => !line.some((one) => revoked.has(one));
  const staying = devices.filter(stays);
  const boxes = new Map(seeds.map(({ device, box }) => [device, box]));
  if (staying.some(({ id }) => id !== by && !boxes.has(id))) return false;

  database
    .sql("UPDATE accounts SET seed_number = ?, contents = ? WHERE user = ?")
    .run(number, contents, user);
  keepDocument(database, user, document);
  for (const { id } of staying) {
    const box = boxes.get(id);
    if (box === undefined) continue;
    database
      .sql(
        `INSERT INTO seed_envelopes (user, device, number, by, sealing, box)
         SELECT user, ?, ?, id, sealing, ? FROM devices WHERE user = ? AND id = ?`,
      )
      .run(id, number, box, user, by);
  }
  const fallen = devices.filter((device) => !stays(device)).map(({ id }) => id);
  for (const id of new Set([...revoke, ...fallen])) {
    database
      .sql("INSERT INTO revoked_devices (user, device, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
      .run(user, id, at);
    endFamilies(database, user, id, at);
  }
  return true;
}

function endFamilies(database: Database, user: string, device: string, at: number): void {
  database
    .sql("UPDATE families SET revoked_at = ? WHERE user = ? AND device = ? AND revoked_at IS NULL")
    .run(at, user, device);
}

function versionOf(database: Database, user: string): number {
  const row = database.sql("SELECT version FROM documents WHERE user = ?").get(user);
  return Number(row?.version ?? 0);
}

function revokedOf(database: Database, user: string): Set<string> {
  const rows = database.sql("SELECT device FROM revoked_devices WHERE user = ?").all(user);
  return new Set(rows.map(({ device }) => String(device)));
}

function devicesOf(database: Database, user: string): { id: string; line: string[] }[] {
  const rows = database.sql("SELECT id, entry FROM devices WHERE user = ?").all(user);
  return rows.map(({ id, entry }) => {
    const { device } = deviceEntry.parse(JSON.parse(String(entry)));
    return { id: String(id), line: deviceLine(device) };
  });
}
