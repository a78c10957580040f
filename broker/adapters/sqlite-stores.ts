/** Both of the broker's stores on one open file. Closing the log's store closes it. */
import { openSqlite } from "#adapters/sqlite.ts";
import type { AccountStore } from "../accounts/store.ts";
import type { Store } from "../store/store.ts";
import { openSqliteAccounts } from "./sqlite-accounts.ts";
import { MIGRATIONS } from "./sqlite-migrations.ts";
import { openSqliteStore } from "./sqlite-store.ts";

/** `path` may be ":memory:". */
export function openSqliteStores(path: string): { store: Store; accounts: AccountStore } {
  const database = openSqlite(path, MIGRATIONS);
  return { store: openSqliteStore(path, database), accounts: openSqliteAccounts(database) };
}
