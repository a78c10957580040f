/** A person on this device, made on first use: who they are, what opens what is sealed to them, what they sign with. */

import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { type CertifiedDevice, certificateInput } from "#protocol/certificate.ts";
import { idOf, memberSealingSecret } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Database, Migration } from "#protocol/ports.ts";
import type { PeerPorts } from "../ports.ts";
import { type Identity, keepIdentity, readIdentity } from "./identity.ts";

export type Seed = { number: number; secret: Uint8Array };

/** Where the account is registered, and by which address its person logs in there. */
export type Home = { origin: string; email: string };

export type Account = {
  user: string;
  name: string;
  rootKey: Uint8Array;
  /** Every one that it has had, in order of their numbers: what was sealed under an old one stays readable. */
  seeds: readonly Seed[];
  /** Identities of this person before this one. */
  formerly: readonly { user: string; seeds: readonly Seed[] }[];
  device: {
    id: string;
    secret: Uint8Array;
    key: Uint8Array;
    certificate: Uint8Array;
    /** Who certified it, up to the device that the root certified; empty where the root did. */
    via: CertifiedDevice["via"];
  };
  /** Null for an account that lives on this machine only. */
  home: Home | null;
};

/** The one that the chains name. */
export function currentSeed({ seeds }: Pick<Account, "seeds">): Seed {
  const seed = seeds.at(-1);
  if (seed) return seed;
  throw new Error("an account has a seed");
}

/** A member's X25519 pair in one workspace. */
export type SealingPair = { secret: Uint8Array; key: Uint8Array };

const MIGRATIONS: readonly Migration[] = [
  {
    name: "0001-account",
    sql: `
      -- Whose machine this is. Home and e-mail are kept for the next login when the keys are forgotten.
      CREATE TABLE account (
        user TEXT PRIMARY KEY, home TEXT, email TEXT, logged_out INTEGER NOT NULL DEFAULT 0,
        document_version INTEGER NOT NULL DEFAULT 0, document_hash TEXT
      ) STRICT;
      -- The account document, an entry a row; null for one that was taken away.
      CREATE TABLE document (
        key TEXT PRIMARY KEY, at INTEGER NOT NULL, value TEXT
      ) STRICT;
      CREATE TABLE workspaces (
        id TEXT PRIMARY KEY,
        slug TEXT NOT NULL UNIQUE,
        -- Null for a workspace that lives on this machine only.
        broker TEXT,
        -- Code of the invite until the join is in the chain. Its secret is in the keychain; a restart goes on with it.
        invite TEXT,
        used INTEGER NOT NULL DEFAULT 0,
        -- 1 until the workspace's own name is known: the slug is provisional.
        unnamed INTEGER NOT NULL DEFAULT 0,
        position INTEGER NOT NULL
      ) STRICT;
      -- What the root has signed, and the workspace's chain doesn't have yet.
      CREATE TABLE errands (id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, entry TEXT NOT NULL) STRICT;
      CREATE TABLE sessions (
        name TEXT PRIMARY KEY, id TEXT NOT NULL, cwd TEXT NOT NULL, seen_at INTEGER NOT NULL,
        -- Set for a name that its session gave up for another.
        forwards TEXT,
        summary TEXT, status TEXT
      ) STRICT;
    `,
  },
  {
    name: "0002-join-requests",
    // Invites that came by e-mail, until somebody let us in. Nothing in it is secret: keys are derived.
    sql: `
      CREATE TABLE join_requests (
        code TEXT PRIMARY KEY, broker TEXT NOT NULL, workspace TEXT NOT NULL, role TEXT NOT NULL, words TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    name: "0003-clients",
    // Versions of the Claude client that are known to bring to their model what is posted to them.
    sql: "CREATE TABLE clients (version TEXT PRIMARY KEY) STRICT;",
  },
  {
    name: "0004-wakes",
    sql: `
      -- When its person last typed something in a session; 0: never, or it isn't known.
      ALTER TABLE sessions ADD COLUMN typed_at INTEGER NOT NULL DEFAULT 0;
      -- Posts that made an idle session work.
      CREATE TABLE wakes (session TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
      CREATE INDEX wakes_by_session ON wakes (session, at);
    `,
  },
];

export function openAccountDatabase(ports: Pick<PeerPorts, "openDatabase">): Database {
  return ports.openDatabase("account", MIGRATIONS);
}

/**
 * The account of this device; a new, local one where there has never been any. Null after a logout.
 * @throws MeshError bad_data when the keys of the one that was here are missing
 */
export async function loadAccount(
  ports: PeerPorts,
  database: Database,
  name: string,
): Promise<Account | null> {
  const row = database.sql("SELECT * FROM account").get();
  const identity = readIdentity(ports.keychain);
  if (identity) {
    const account = accountOf(identity, name);
    // A crash came between the two: the keys are what counts.
    if (row?.user !== account.user || row.logged_out === 1) enterAccount(database, account);
    return account;
  }
  if (row?.logged_out === 1) return null;
  // Making new ones would make another person of this device, unknown to all of its workspaces.
  if (row)
    throw new MeshError(
      "bad_data",
      "This account's keys are missing.",
      "Restore them from a backup; `claudemesh doctor` says where they belong.",
    );
  return keepAccount(ports, database, await newIdentity(ports), name);
}

/** From now on this device is that person's. */
export function keepAccount(
  { keychain }: Pick<PeerPorts, "keychain">,
  database: Database,
  identity: Identity,
  name: string,
): Account {
  keepIdentity(keychain, identity);
  const account = accountOf(identity, name);
  enterAccount(database, account);
  return account;
}

function enterAccount(database: Database, { user, home }: Account): void {
  database.transaction(() => {
    database.sql("DELETE FROM account WHERE user <> ?").run(user);
    database
      .sql(
        `INSERT INTO account (user, home, email) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET home = ?2, email = ?3, logged_out = 0`,
      )
      .run(user, home?.origin ?? null, home?.email ?? null);
  });
}

/** `root`: made elsewhere, or a new one. */
export async function newIdentity(
  { curves, random }: PeerPorts,
  root: Uint8Array = random(32),
): Promise<Identity> {
  const rootKey = await curves.signingPublicKey(root);
  const secret = random(32);
  return {
    type: "identity",
    rootKey: toBase64url(rootKey),
    root: toBase64url(root),
    seeds: [{ number: 0, secret: toBase64url(random(32)) }],
    formerly: [],
    secret: toBase64url(secret),
    device: await certifyByRoot(curves, root, secret),
    home: null,
  };
}

/** A device of the person whose root it is. */
export async function certifyByRoot(
  curves: PeerPorts["curves"],
  root: Uint8Array,
  deviceSecret: Uint8Array,
): Promise<Identity["device"]> {
  const user = idOf(await curves.signingPublicKey(root));
  const key = await curves.signingPublicKey(deviceSecret);
  const certificate = await curves.sign(root, certificateInput(user, key));
  return { key: toBase64url(key), certificate: toBase64url(certificate), via: [] };
}

export function accountOf(identity: Identity, name: string): Account {
  const rootKey = fromBase64url(identity.rootKey);
  const key = fromBase64url(identity.device.key);
  return {
    user: idOf(rootKey),
    name,
    rootKey,
    seeds: seedsOf(identity.seeds),
    formerly: identity.formerly.map(({ user, seeds }) => ({ user, seeds: seedsOf(seeds) })),
    device: {
      id: idOf(key),
      secret: fromBase64url(identity.secret),
      key,
      certificate: fromBase64url(identity.device.certificate),
      via: identity.device.via,
    },
    home: identity.home,
  };
}

function seedsOf(seeds: Identity["seeds"]): Seed[] {
  return seeds
    .map(({ number, secret }) => ({ number, secret: fromBase64url(secret) }))
    .toSorted((a, b) => a.number - b.number);
}

/** Derived, never copied: the same on every machine of the person. */
export async function sealingPair(
  ports: PeerPorts,
  account: Pick<Account, "user" | "seeds">,
  workspace: string,
): Promise<SealingPair> {
  const seed = currentSeed(account);
  const secret = memberSealingSecret(seed.secret, account.user, workspace, seed.number);
  return { secret, key: await ports.curves.sealingPublicKey(secret) };
}
