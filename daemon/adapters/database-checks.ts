/** Are the databases and the keys whole? Looked at from beside the daemon, which goes on meanwhile. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import Sqlite from "better-sqlite3";
import type { Check } from "#protocol/features/daemon.ts";
import { decodeIdentity } from "#sdk/account/identity.ts";
import { bad, good, type HomeCheck, unknown } from "../doctor.ts";

/** How a workspace's damaged database is replaced; `file` stays for whoever can still read something of it. */
const BRING_BACK =
  "Run claudemesh down, move the file away, and claudemesh up: what the broker has comes back. What waited to be sent is in the file alone.";
const NO_COPY = "Restore it from a backup; the file stays for whoever can still read something of it.";

type Listed = { id: string; slug: string; broker: string | null };

export const databaseCheck: HomeCheck = {
  name: "databases",
  look({ home }) {
    const account = join(home, "account.db");
    if (!existsSync(account)) return unknown("databases", "There are none yet.");
    const checked = checkFile("database account", account, NO_COPY);
    const listed = workspacesOf(home);
    const known = new Set(listed.map(({ id }) => id));
    const files = databaseFiles(join(home, "workspaces"));
    return [
      checked,
      ...listed.map(({ id, slug, broker }) => {
        const file = join(home, "workspaces", `${id}.db`);
        const name = `database ${slug}`;
        return existsSync(file)
          ? checkFile(name, file, broker === null ? NO_COPY : BRING_BACK)
          : bad(name, `${file} isn't there.`, "claudemesh up makes it anew from what the broker has.");
      }),
      ...files
        .filter((file) => !known.has(basename(file, ".db")))
        .map((file) => unknown("databases", `${file} belongs to no workspace of this account.`)),
    ];
  },
};

/** Without them the daemon doesn't start. */
export const keyCheck: HomeCheck = {
  name: "keys",
  look({ home }) {
    const folder = join(home, "keys");
    if (!existsSync(join(home, "account.db"))) return unknown("keys", "There is no account yet.");
    const path = join(folder, "identity");
    return isWhole(path)
      ? good("keys", folder)
      : bad("keys", `${path} is missing or damaged.`, "Restore it from a backup, or log in again.");
  },
};

function isWhole(path: string): boolean {
  try {
    decodeIdentity(readFileSync(path));
    return true;
  } catch {
    return false;
  }
}

/** Of the embedded broker, by the address that most of this account's workspaces know it by. */
export function embeddedPort(home: string): number | undefined {
  const ports = workspacesOf(home)
    .map(({ broker }) => (broker && URL.canParse(broker) ? new URL(broker) : null))
    .filter((url) => url?.hostname === "127.0.0.1" && url.port !== "")
    .map((url) => Number(url?.port));
  return ports[0];
}

/** None where the account can't be read. */
function workspacesOf(home: string): Listed[] {
  try {
    return reading(join(home, "account.db"), (account) =>
      account.prepare<[], Listed>("SELECT id, slug, broker FROM workspaces ORDER BY position").all(),
    );
  } catch {
    return [];
  }
}

function checkFile(name: string, file: string, fix: string): Check {
  try {
    const said = reading(file, (database) => String(database.pragma("quick_check(1)", { simple: true })));
    return said === "ok" ? good(name, file) : bad(name, `${file} is damaged: ${said}`, fix);
  } catch (error) {
    return bad(name, `${file} is damaged: ${error instanceof Error ? error.message : error}`, fix);
  }
}

function reading<T>(file: string, work: (database: Sqlite.Database) => T): T {
  const database = new Sqlite(file, { readonly: true, fileMustExist: true });
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function databaseFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".db"))
    .map((name) => join(folder, name));
}
