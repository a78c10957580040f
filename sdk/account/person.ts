/** Whose machine this is: the account, its document, and its home broker, from one login to the next. */
import { MeshError } from "#protocol/errors.ts";
import type { Database } from "#protocol/ports.ts";
import type { PeerPorts } from "../ports.ts";
import { type Account, type Home, keepAccount, loadAccount } from "./account.ts";
import { createDocument, type Document } from "./document.ts";
import { createHomeLink, type HomeLink, loggedOut } from "./home.ts";
import { forgetIdentity, type Identity } from "./identity.ts";

export type Person = {
  /** @throws MeshError logged_out */
  account(): Account;
  isLoggedOut(): boolean;
  /** Whose machine it is, or was before the logout. */
  user(): string;
  name(): string;
  /** Where the account is registered; after a logout too. */
  home(): Home | null;
  /** Null for an account that isn't registered. @throws MeshError logged_out */
  homeLink(): HomeLink | null;
  document: Document;
  /** From now on this machine is that person's. Of the same person and device, the account stays the object that it was. */
  adopt(identity: Identity, link?: HomeLink): void;
  /** Forgets the keys. */
  forget(): void;
  rename(name: string): void;
};

export async function createPerson(ports: PeerPorts, database: Database, name: string): Promise<Person> {
  let account = await loadAccount(ports, database, name);
  let link = account?.home ? createHomeLink(ports, account, account.home.origin) : null;
  const document = createDocument(database, ports.clock);
  const keptHome = (): Home | null => {
    const row = database.sql("SELECT home, email FROM account WHERE home IS NOT NULL").get();
    return row ? { origin: String(row.home), email: String(row.email) } : null;
  };
  const required = (): Account => {
    if (account) return account;
    throw loggedOut(keptHome()?.origin ?? "its broker");
  };

  return {
    account: required,
    isLoggedOut: () => account === null,
    user: () => account?.user ?? String(database.sql("SELECT user FROM account").get()?.user),
    name: () => account?.name ?? name,
    home: () => account?.home ?? keptHome(),
    homeLink: () => (required().home ? link : null),
    document,
    adopt(identity, newLink) {
      const kept = keepAccount(ports, database, identity, account?.name ?? name);
      if (account?.user === kept.user && account.device.id === kept.device.id) {
        // Whoever was given the account goes on with its new keys.
        Object.assign(account, kept);
      } else {
        if (account?.user !== kept.user) document.clear();
        account = kept;
        link = null;
      }
      link = newLink ?? link ?? (kept.home ? createHomeLink(ports, account, kept.home.origin) : null);
    },
    forget() {
      const { home } = required();
      if (!home) throw onlyHere();
      database.transaction(() => {
        database.sql("UPDATE account SET logged_out = 1, document_version = 0, document_hash = NULL").run();
        document.clear();
      });
      forgetIdentity(ports.keychain);
      account = null;
      link = null;
    },
    rename(to) {
      if (account) account.name = to;
    },
  };
}

function onlyHere(): MeshError {
  return new MeshError(
    "refused",
    "This account lives on this machine alone: without its keys it would be lost.",
    "Register it first: claudemesh login --broker URL --email YOU --register",
  );
}
