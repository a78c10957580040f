/** Two people in one workspace: daemons and a broker, each a process of its own; and what can be seen in their files. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openSqliteToRead } from "#adapters/sqlite.ts";
import { until } from "./figure.ts";
import { type Home, withHomes } from "./home.ts";

export type Pair = { alice: Home; bob: Home };

export function withPair<T>(work: (pair: Pair) => Promise<T>): Promise<T> {
  return withHomes(["alice", "bob"], async (alice, bob) => {
    if (!alice || !bob) throw new Error("no homes");
    await alice.verb("workspace", "create", "acme");
    const { url } = JSON.parse(await alice.verb("invite", "create", "--json"));
    await bob.verb("join", url);
    await until(
      async () => (await alice.verb("peers", "--json")).includes('"bob"'),
      "bob among alice's peers",
    );
    return work({ alice, bob });
  });
}

/** A look at the replica from outside: what is committed, and nothing asked of the daemon. */
export function replicaOf(home: string) {
  const folder = join(home, "workspaces");
  const [file] = readdirSync(folder).filter((name) => name.endsWith(".db"));
  const db = openSqliteToRead(join(folder, file ?? ""));
  const one = (sql: string) => Number(db.sql(sql).get()?.n ?? 0);
  return {
    /** Messages in the index, its own as well. */
    messages: () => one("SELECT max(position) AS n FROM messages"),
    /** What is said and not settled. */
    outbox: () => one("SELECT count(*) AS n FROM outbox"),
    close: () => db.close(),
  };
}
