/** The tables of the broker's one file: the log, accounts, who asks to join. A backup of it carries all. */
import type { Migration } from "#protocol/ports.ts";

export const MIGRATIONS: readonly Migration[] = [
  {
    name: "0001-log",
    sql: `
      CREATE TABLE workspaces (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, log_id TEXT NOT NULL,
        -- Kept here, since the newest record may be gone: a sequence is never given twice.
        head INTEGER NOT NULL, floor INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
      ) STRICT;
      CREATE TABLE records (
        workspace INTEGER NOT NULL REFERENCES workspaces,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        sender TEXT NOT NULL,
        id TEXT NOT NULL,
        label TEXT NOT NULL,
        bytes BLOB NOT NULL,
        -- Of a put; null in an append.
        key TEXT, owner TEXT, version INTEGER, hash TEXT, expires_at INTEGER, tombstone INTEGER
      ) STRICT;
      CREATE UNIQUE INDEX records_by_seq ON records (workspace, seq);
      CREATE UNIQUE INDEX records_by_id ON records (workspace, sender, id);
      CREATE INDEX records_by_label ON records (workspace, label, seq);
      CREATE UNIQUE INDEX records_by_cell ON records (workspace, label, key, owner) WHERE key IS NOT NULL;
      CREATE INDEX records_guards ON records (workspace) WHERE key = label;
      CREATE INDEX records_dead ON records (at) WHERE tombstone = 1 OR expires_at IS NOT NULL;
      -- Identities of records that were replaced or removed.
      CREATE TABLE past_ids (
        workspace INTEGER NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (workspace, sender, id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX past_ids_by_age ON past_ids (at);
      CREATE TABLE invites (code TEXT PRIMARY KEY, workspace INTEGER NOT NULL REFERENCES workspaces) STRICT;
    `,
  },
  {
    name: "0002-accounts",
    sql: `
      -- The hashes stand before the boxes: a login reads no box before it is right.
      CREATE TABLE accounts (
        user TEXT PRIMARY KEY, login TEXT NOT NULL UNIQUE,
        passphrase_hash BLOB NOT NULL, recovery_hash BLOB NOT NULL,
        root TEXT NOT NULL, seed_number INTEGER NOT NULL,
        vault TEXT NOT NULL, recovery TEXT NOT NULL, contents TEXT NOT NULL
      ) STRICT;
      CREATE TABLE documents (
        user TEXT PRIMARY KEY REFERENCES accounts, version INTEGER NOT NULL, box TEXT NOT NULL
      ) STRICT;
      CREATE TABLE devices (
        user TEXT NOT NULL REFERENCES accounts, id TEXT NOT NULL,
        entry TEXT NOT NULL, sealing TEXT NOT NULL,
        entered_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX devices_by_id ON devices (id, user);
      CREATE INDEX devices_by_user ON devices (user);
      -- Devices that have never come in, too: they and what rests on them never will.
      CREATE TABLE revoked_devices (
        user TEXT NOT NULL REFERENCES accounts, device TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (user, device)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE families (
        id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES accounts, device TEXT NOT NULL,
        -- SHA-256 of the token that nobody has used, and of the last that somebody has. Without either, which is
        -- how a restored backup begins, the next one counts.
        current BLOB, previous BLOB,
        expires_at INTEGER NOT NULL, revoked_at INTEGER
      ) STRICT;
      CREATE INDEX families_by_device ON families (user, device);
      CREATE TABLE seed_envelopes (
        user TEXT NOT NULL REFERENCES accounts, device TEXT NOT NULL, number INTEGER NOT NULL,
        by TEXT NOT NULL, sealing TEXT NOT NULL, box TEXT NOT NULL,
        PRIMARY KEY (user, device, number)
      ) STRICT;
      CREATE TABLE signing_keys (id TEXT PRIMARY KEY, seed BLOB NOT NULL, created_at INTEGER NOT NULL) STRICT;
    `,
  },
  {
    name: "0003-join-requests",
    sql: `
      -- By invites that were mailed. Whoever comes again replaces what they asked, until it is answered.
      CREATE TABLE join_requests (
        code TEXT NOT NULL, user TEXT NOT NULL, at INTEGER NOT NULL, request TEXT NOT NULL, answer TEXT,
        PRIMARY KEY (code, user)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: "0004-blocks",
    sql: `
      CREATE TABLE blocks (
        workspace INTEGER NOT NULL REFERENCES workspaces, member TEXT NOT NULL, blocked TEXT NOT NULL,
        since INTEGER NOT NULL, PRIMARY KEY (workspace, member, blocked)
      ) STRICT, WITHOUT ROWID;
    `,
  },
];
