/** Accounts in the broker's SQLite file, beside the log. */
import { type AccountDevice, deviceEntry } from "#protocol/account/api.ts";
import { equalBytes } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Database, SqlRow, SqlValue } from "#protocol/ports.ts";
import type { AccountStore, Family } from "../accounts/store.ts";
import { enterDevice, keepDocument, rotateSeed } from "./sqlite-devices.ts";
import { namedIfFull } from "./sqlite-store.ts";

const DEVICES = `
  SELECT d.*, r.at AS revoked_at FROM devices d
  LEFT JOIN revoked_devices r ON r.user = d.user AND r.device = d.id`;

/** `database` has the broker's migrations, and stays its owner's to close. */
export function openSqliteAccounts(database: Database): AccountStore {
  /** What the file's own trouble is called is for whoever runs the broker, not for whoever asks it. */
  const named = async <T>(run: () => T): Promise<T> => {
    try {
      return run();
    } catch (error) {
      const known = namedIfFull(error);
      if (known instanceof MeshError && known.code === "storage_full") throw known;
      throw new Error(`the accounts' database failed: ${String(error)}`);
    }
  };
  const within = <T>(run: () => T): Promise<T> => named(() => database.transaction(run));
  const get = (sql: string, ...values: SqlValue[]) => named(() => database.sql(sql).get(...values));
  const all = (sql: string, ...values: SqlValue[]) => named(() => database.sql(sql).all(...values));
  const run = (sql: string, ...values: SqlValue[]) => named(() => database.sql(sql).run(...values));

  return {
    register: ({ hashes, ...account }, entry) =>
      within(() => {
        const { user, login, root, seedNumber, vault, recovery, contents } = account;
        const { changes } = database
          .sql(
            `INSERT INTO accounts (user, login, passphrase_hash, recovery_hash, root, seed_number, vault, recovery, contents)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
          )
          .run(user, login, hashes.passphrase, hashes.recovery, root, seedNumber, vault, recovery, contents);
        if (changes > 0) enterDevice(database, entry);
        return changes > 0;
      }),

    async loginHashes(login) {
      const row = await get(
        "SELECT user, passphrase_hash, recovery_hash FROM accounts WHERE login = ?",
        login,
      );
      if (!row) return null;
      const { user, passphrase_hash, recovery_hash } = row;
      return { user: String(user), passphrase: blob(passphrase_hash), recovery: blob(recovery_hash) };
    },

    async account(user) {
      const row = await get(
        "SELECT user, root, seed_number, vault, recovery, contents FROM accounts WHERE user = ?",
        user,
      );
      if (!row) return null;
      const { root, seed_number, vault, recovery, contents } = row;
      return {
        user,
        root: String(root),
        seedNumber: Number(seed_number),
        vault: String(vault),
        recovery: String(recovery),
        contents: String(contents),
      };
    },

    devices: async (user) => (await all(`${DEVICES} WHERE d.user = ? ORDER BY d.rowid`, user)).map(deviceOf),

    async device(user, id) {
      const row = await get(`${DEVICES} WHERE d.user = ? AND d.id = ?`, user, id);
      return row ? deviceOf(row) : null;
    },

    async usersOf(device) {
      return (await all("SELECT user FROM devices WHERE id = ? LIMIT 8", device)).map(({ user }) =>
        String(user),
      );
    },

    enter: (entry, options) => within(() => enterDevice(database, entry, options)),

    async family(id) {
      const row = await get(
        `SELECT f.*, d.entry, r.at AS device_revoked_at FROM families f
         JOIN devices d ON d.user = f.user AND d.id = f.device
         LEFT JOIN revoked_devices r ON r.user = f.user AND r.device = f.device WHERE f.id = ?`,
        id,
      );
      return row ? familyOf(row) : null;
    },

    renew: ({ family, shown, next, at, expiresAt }) =>
      within(() => {
        const row = database
          .sql(
            `SELECT user, device, current, previous FROM families
             WHERE id = ? AND revoked_at IS NULL AND expires_at > ?`,
          )
          .get(family, at);
        if (!row) return "over";
        const tokens = [row.current, row.previous].filter((token) => token instanceof Uint8Array);
        const isNewest = tokens.length === 0 || tokens.some((token) => equalBytes(shown, token));
        if (!isNewest) {
          database.sql("UPDATE families SET revoked_at = ? WHERE id = ?").run(at, family);
          return "reused";
        }
        // Whichever of the two it was, the next request that shows it hasn't had its answer.
        database
          .sql("UPDATE families SET previous = ?, current = ?, expires_at = ? WHERE id = ?")
          .run(shown, next, expiresAt, family);
        database
          .sql("UPDATE devices SET last_seen_at = ? WHERE user = ? AND id = ?")
          .run(at, String(row.user), String(row.device));
        return "renewed";
      }),

    async endFamily(id, at) {
      await run("UPDATE families SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", at, id);
    },

    async document(user) {
      const row = await get("SELECT version, box FROM documents WHERE user = ?", user);
      return row ? { version: Number(row.version), box: String(row.box) } : { version: 0, box: "" };
    },

    keepDocument: (user, document) => within(() => keepDocument(database, user, document)),

    async seeds(user, device) {
      const rows = await all(
        `SELECT number, by, sealing, box FROM seed_envelopes
         WHERE user = ? AND device = ? ORDER BY number DESC LIMIT 1000`,
        user,
        device,
      );
      return rows.reverse().map(({ number, by, sealing, box }) => ({
        number: Number(number),
        by: String(by),
        sealing: String(sealing),
        box: String(box),
      }));
    },

    async changeLogin(user, { kind, hash, box }) {
      const columns = { passphrase: ["passphrase_hash", "vault"], recovery: ["recovery_hash", "recovery"] };
      const [hashColumn, boxColumn] = columns[kind];
      await run(`UPDATE accounts SET ${hashColumn} = ?, ${boxColumn} = ? WHERE user = ?`, hash, box, user);
    },

    rotate: (rotation) => within(() => rotateSeed(database, rotation)),

    async signingKeys() {
      const rows = await all("SELECT id, seed, created_at FROM signing_keys ORDER BY created_at");
      return rows.map(({ id, seed, created_at }) => ({
        id: String(id),
        seed: blob(seed),
        createdAt: Number(created_at),
      }));
    },

    async addSigningKey({ id, seed, createdAt }) {
      await run("INSERT INTO signing_keys (id, seed, created_at) VALUES (?, ?, ?)", id, seed, createdAt);
    },

    clean: ({ now, revokedBefore, retiredBefore }) =>
      within(() => {
        database.sql("DELETE FROM families WHERE expires_at <= ? OR revoked_at < ?").run(now, revokedBefore);
        database
          .sql(
            `DELETE FROM signing_keys
             WHERE created_at < (SELECT max(created_at) FROM signing_keys WHERE created_at <= ?)`,
          )
          .run(retiredBefore);
      }),
  };
}

function deviceOf(row: SqlRow): AccountDevice {
  return {
    id: String(row.id),
    entry: deviceEntry.parse(JSON.parse(String(row.entry))),
    enteredAt: Number(row.entered_at),
    lastSeenAt: Number(row.last_seen_at),
    revoked: row.revoked_at !== null,
  };
}

function familyOf(row: SqlRow): Family {
  return {
    id: String(row.id),
    user: String(row.user),
    device: String(row.device),
    key: deviceEntry.parse(JSON.parse(String(row.entry))).device.key,
    isDeviceRevoked: row.device_revoked_at !== null,
    isRevoked: row.revoked_at !== null,
    expiresAt: Number(row.expires_at),
  };
}

function blob(value: SqlValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw new Error("a column is a blob by its schema");
}
