/** A person on this device: root, seed and device key, made on first use and kept in the keychain. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { certificateInput } from "#protocol/chain/entries.ts";
import { idOf, memberSealingSecret } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Database, Migration } from "#protocol/ports.ts";
import type { PeerPorts } from "../ports.ts";

export type Seed = { number: number; secret: Uint8Array };

export type Account = {
  user: string;
  name: string;
  rootKey: Uint8Array;
  /** Every one that it has had, in order of their numbers: what was sealed under an old one stays readable. */
  seeds: readonly Seed[];
  device: { id: string; secret: Uint8Array; key: Uint8Array; certificate: Uint8Array };
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
      CREATE TABLE account (
        user TEXT PRIMARY KEY, root_key TEXT NOT NULL, seed_number INTEGER NOT NULL, certificate TEXT NOT NULL
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
        code TEXT PRIMARY KEY, broker TEXT NOT NULL, workspace TEXT NOT NULL, role TEXT NOT NULL
      ) STRICT;
    `,
  },
];

export function openAccountDatabase(ports: Pick<PeerPorts, "openDatabase">): Database {
  return ports.openDatabase("account", MIGRATIONS);
}

/** The account of this device; a new, local one where none is. Its root stays beside the seed until it is registered. */
export async function loadAccount(ports: PeerPorts, database: Database, name: string): Promise<Account> {
  const known = database.sql("SELECT * FROM account").get();
  const seed = ports.keychain.get("seed");
  const secret = ports.keychain.get("device");
  if (known) {
    // Making new ones would make another person of this device, unknown to all of its workspaces.
    if (!seed || !secret) {
      throw new MeshError(
        "bad_data",
        "This account's keys are missing.",
        "Restore them from a backup; `claudemesh doctor` says where they belong.",
      );
    }
    const key = await ports.curves.signingPublicKey(secret);
    return {
      user: String(known.user),
      name,
      rootKey: fromBase64url(String(known.root_key)),
      seeds: [{ number: Number(known.seed_number), secret: seed }],
      device: { id: idOf(key), secret, key, certificate: fromBase64url(String(known.certificate)) },
    };
  }
  return makeAccount(ports, database, name);
}

async function makeAccount(ports: PeerPorts, database: Database, name: string): Promise<Account> {
  const { curves, keychain, random } = ports;
  // Whatever a crash left behind is used again, so a half-made account becomes whole instead of another one.
  const secretOf = (item: string) => {
    const secret = keychain.get(item) ?? random(32);
    keychain.set(item, secret);
    return secret;
  };
  const root = secretOf("root");
  const seed = secretOf("seed");
  const secret = secretOf("device");
  const rootKey = await curves.signingPublicKey(root);
  const user = idOf(rootKey);
  const key = await curves.signingPublicKey(secret);
  const certificate = await curves.sign(root, certificateInput(user, key));
  database
    .sql("INSERT OR REPLACE INTO account (user, root_key, seed_number, certificate) VALUES (?, ?, 0, ?)")
    .run(user, toBase64url(rootKey), toBase64url(certificate));
  return {
    user,
    name,
    rootKey,
    seeds: [{ number: 0, secret: seed }],
    device: { id: idOf(key), secret, key, certificate },
  };
}

/** Derived, never copied: the same on every machine of the person. */
export async function sealingPair(
  ports: PeerPorts,
  account: Account,
  workspace: string,
): Promise<SealingPair> {
  const seed = currentSeed(account);
  const secret = memberSealingSecret(seed.secret, account.user, workspace, seed.number);
  return { secret, key: await ports.curves.sealingPublicKey(secret) };
}
