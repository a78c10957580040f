/** Two people in one workspace: daemons and a broker, each a process of its own; and what can be seen in their files. */
import { join } from "node:path";
import { openSqliteToRead } from "#adapters/sqlite.ts";
import { until } from "./figure.ts";
import { type Home, withHomes } from "./home.ts";

/** `workspace` is its id. */
export type Pair = { alice: Home; bob: Home; workspace: string };

export function withPair<T>(work: (pair: Pair) => Promise<T>): Promise<T> {
  return withHomes(["alice", "bob"], async (alice, bob) => {
    if (!alice || !bob) throw new Error("no homes");
    const { id: workspace } = JSON.parse(await alice.verb("workspace", "create", "acme", "--json"));
    const { url } = JSON.parse(await alice.verb("invite", "create", "--json"));
    await bob.verb("join", url);
    await until(
      async () => (await alice.verb("peers", "--json")).includes('"bob"'),
      "bob among alice's peers",
    );
    return work({ alice, bob, workspace });
  });
}

/** A look at the replica from outside: what is committed, and nothing asked of the daemon. */
export function replicaOf({ path }: Pick<Home, "path">, workspace: string) {
  const db = openSqliteToRead(join(path, "workspaces", `${workspace}.db`));
  const one = (sql: string) => Number(db.sql(sql).get()?.n ?? 0);
  return {
    /** Messages in the index, its own as well. */
    messages: () => one("SELECT max(position) AS n FROM messages"),
    /** What is said and not settled. */
    outbox: () => one("SELECT count(*) AS n FROM outbox"),
    close: () => db.close(),
  };
}
