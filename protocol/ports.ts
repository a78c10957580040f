/** What the parts ask of the world. Only files under an `adapters/` folder meet these with the real thing. */

export type Clock = {
  /** Wall time in ms since the Unix epoch; may carry a fraction. */
  now(): number;
};

export type Timers = {
  /** Runs once after `ms`; the answer cancels it. */
  after(ms: number, run: () => void): () => void;
  /** Runs once this turn of the event loop has taken in what has already arrived. */
  soon(run: () => void): void;
};

export type Random = (length: number) => Uint8Array;

/** Ed25519 and X25519 on raw 32-byte keys. Asynchronous, because a browser's are. */
export type Curves = {
  /** Public half of an Ed25519 seed. */
  signingPublicKey(seed: Uint8Array): Promise<Uint8Array>;
  sign(seed: Uint8Array, message: Uint8Array): Promise<Uint8Array>;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** Public half of an X25519 secret. */
  sealingPublicKey(secret: Uint8Array): Promise<Uint8Array>;
  /** RFC 7748 shared secret. @throws MeshError bad_key when the result is all zero */
  agree(secret: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array>;
};

/** One WebSocket, already open. */
export type Socket = {
  send(data: string | Uint8Array): void;
  /** Several frames in one write to the kernel. */
  sendAll(frames: readonly (string | Uint8Array)[]): void;
  close(code: number, reason: string): void;
  /** Bytes accepted but not yet handed to the kernel. */
  buffered(): number;
  /** Resolves once more can be sent without piling up here, or the connection has ended. */
  drained(): Promise<void>;
  /** Takes in nothing more until `resume`, which slows down the other end; what has arrived already may still come. */
  pause(): void;
  resume(): void;
  /** Set once; `close` is called exactly once. */
  listen(handlers: { message(data: string | Uint8Array): void; close(): void }): void;
};

/** Opens a WebSocket. @throws MeshError offline */
export type Dial = (url: string) => Promise<Socket>;

/**
 * GET of a small JSON document, or POST of one. `date`: the server's time, to the second. `waitMs`: how long the answer
 * may be held back by intent. `body`: null where it isn't JSON. @throws MeshError offline, timeout, too_large
 */
export type FetchJson = (
  url: string,
  post?: { body: unknown; headers: Readonly<Record<string, string>>; waitMs?: number },
) => Promise<{ status: number; body: unknown; date?: number }>;

/** Argon2id with the constants of protocol/account/keys.ts; takes a good part of a second. */
export type Stretch = (passphrase: Uint8Array, salt: Uint8Array) => Promise<Uint8Array>;

/** Tells that the machine's way to others has changed: what was dialled before may lead nowhere. */
export type Network = {
  /** The answer ends it. */
  onChange(run: () => void): () => void;
};

export type SqlValue = string | number | bigint | Uint8Array | null;
export type SqlRow = Record<string, SqlValue>;

export type Statement = {
  run(...values: SqlValue[]): { changes: number };
  get(...values: SqlValue[]): SqlRow | undefined;
  all(...values: SqlValue[]): SqlRow[];
  /** Row by row; end the loop before the next statement. */
  each(...values: SqlValue[]): Iterable<SqlRow>;
};

export type Outcome<T> = { value: T } | { error: unknown };

/** A synchronous SQL database, commits durable when `transaction` returns. Statements are prepared once per text. */
export type Database = {
  exec(sql: string): void;
  sql(text: string): Statement;
  /** All or nothing; nested calls join the outer one. */
  transaction<T>(run: () => T): T;
  /**
   * One commit for all works, in their order; each is all or nothing by itself. When one fails they are all begun anew, so
   * they have no effect but on the database. @throws where none of them is kept
   */
  together<T>(works: readonly (() => T)[]): Outcome<T>[];
  close(): void;
};

export type Migration = { name: string; sql: string };

/** Secrets at rest. `get` answers null where nothing was kept. */
export type Keychain = {
  get(name: string): Uint8Array | null;
  set(name: string, secret: Uint8Array): void;
  remove(name: string): void;
};

/** Structured log. Fields carry no user data: ids, codes, counts, times. */
export type Log = {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
};
