/** A SQLite file as the database port: WAL, every commit synced, migrations by name and hash. */
import { createHash } from "node:crypto";
import Sqlite from "better-sqlite3";
import { MeshError } from "#protocol/errors.ts";
import type { Database, Migration, Outcome, SqlRow, SqlValue, Statement } from "#protocol/ports.ts";
import { fromSystem } from "./system-error.ts";

/**
 * Opens or makes `path` (":memory:" for one that dies with the process) and brings it up to `migrations`. `onDamage` is
 * told when the file turns out to be damaged later on, at whatever was asked of it.
 * @throws MeshError conflict when the file was written by another line of migrations, bad_data, storage_full
 */
export function openSqlite(
  path: string,
  migrations: readonly Migration[],
  onDamage: (why: MeshError) => void = () => {},
): Database {
  let sqlite: Sqlite.Database | null = null;
  try {
    sqlite = new Sqlite(path);
    return setUp(sqlite, migrations, guard(path, onDamage));
  } catch (error) {
    sqlite?.close();
    throw fromSystem(error, path) ?? error;
  }
}

/** A second connection that only reads; `path` has been opened with its migrations before. */
export function openSqliteToRead(path: string): Database {
  const sqlite = new Sqlite(path, { readonly: true, fileMustExist: true });
  sqlite.pragma("busy_timeout = 5000");
  return wrap(
    sqlite,
    guard(path, () => {}),
  );
}

type Guard = <T>(work: () => T) => T;

/** Lets errors pass, and names those that say that the file or the disk under it has failed. */
function guard(path: string, onDamage: (why: MeshError) => void): Guard {
  return (work) => {
    try {
      return work();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (!/^SQLITE_(CORRUPT|NOTADB|IOERR)/.test(code)) throw error;
      const why = fromSystem(error, path);
      if (why?.code === "bad_data") onDamage(why);
      throw why ?? error;
    }
  };
}

function setUp(sqlite: Sqlite.Database, migrations: readonly Migration[], guarded: Guard): Database {
  sqlite.pragma("journal_mode = WAL");
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("busy_timeout = 5000");
  const database = wrap(sqlite, guarded);
  migrate(database, migrations);
  return database;
}

function wrap(sqlite: Sqlite.Database, guarded: Guard): Database {
  const statements = new Map<string, Statement>();
  // Made once: better-sqlite3 needs longer to wrap a function than to insert a row.
  const atomically = sqlite.transaction((run: () => void) => run());
  const transaction = <T>(run: () => T): T => {
    let answer!: T;
    atomically.immediate(() => {
      answer = run();
    });
    return answer;
  };
  return {
    exec(sql) {
      sqlite.exec(sql);
    },
    sql(text) {
      const known = statements.get(text);
      if (known) return known;
      const statement = guarded(() => prepare(sqlite, text, guarded));
      statements.set(text, statement);
      return statement;
    },
    transaction(run) {
      return sqlite.inTransaction ? run() : guarded(() => transaction(run));
    },
    together<T>(works: readonly (() => T)[]) {
      try {
        return guarded(() => transaction(() => works.map((work) => ({ value: work() }))));
      } catch {
        // Savepoints cost as much as the rows between them, so they are for when something fails.
        return guarded(() => transaction(() => works.map((work) => apart(sqlite, work))));
      }
    },
    close() {
      sqlite.close();
    },
  };
}

/** Inside a transaction: what fails is undone by itself, unless all of it is. */
function apart<T>(sqlite: Sqlite.Database, work: () => T): Outcome<T> {
  try {
    return { value: sqlite.transaction(work)() };
  } catch (error) {
    // A full disk or a failing one takes the whole transaction with it.
    if (!sqlite.inTransaction) throw error;
    return { error };
  }
}

function prepare(sqlite: Sqlite.Database, text: string, guarded: Guard): Statement {
  const statement = sqlite.prepare<unknown[], SqlRow>(text);
  // better-sqlite3 takes ?1, ?2 … for names; here they are places, so that a value can be used twice.
  const isNumbered = /\?\d/.test(text);
  const bind = (values: readonly SqlValue[]): readonly unknown[] =>
    isNumbered ? [Object.fromEntries(values.map((value, i) => [String(i + 1), value]))] : values;
  return {
    run: (...values) => ({ changes: guarded(() => statement.run(...bind(values))).changes }),
    get: (...values) => guarded(() => statement.get(...bind(values))),
    all: (...values) => guarded(() => statement.all(...bind(values))),
    *each(...values) {
      const rows = statement.iterate(...bind(values));
      try {
        for (let next = guarded(() => rows.next()); !next.done; next = guarded(() => rows.next()))
          yield next.value;
      } finally {
        rows.return?.();
      }
    },
  };
}

function migrate(database: Database, migrations: readonly Migration[]): void {
  database.transaction(() => {
    database.exec("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT");
    const applied = new Map(
      database
        .sql("SELECT name, hash FROM migrations")
        .all()
        .map((row) => [row.name, row.hash]),
    );
    for (const { name, sql } of migrations) {
      const hash = createHash("sha256").update(sql).digest("hex");
      const known = applied.get(name);
      applied.delete(name);
      if (known === hash) continue;
      if (known !== undefined) throw foreign(`its migration "${name}" is another`);
      database.exec(sql);
      database.sql("INSERT INTO migrations (name, hash) VALUES (?, ?)").run(name, hash);
    }
    const [unknown] = applied.keys();
    if (unknown !== undefined) throw foreign(`it knows a migration "${unknown}" that this version doesn't`);
  });
}

function foreign(why: string): MeshError {
  return new MeshError(
    "conflict",
    `The database was written by another version of claudemesh: ${why}.`,
    "Run the newest claudemesh you have used here.",
  );
}
