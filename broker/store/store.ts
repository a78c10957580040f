/**
 * What the broker asks of a database. SQLite today; a second adapter passes the same acceptance suite.
 * All of it is ciphertext and routing: ids, labels, sizes, times, and the plaintext membership chain.
 */

/** A record as the log keeps it. `at` is the broker's time of the commit, in ms. */
export type LogRecord = { seq: number; at: number; bytes: Uint8Array };

/** Which value a put replaces: `owner` is the sender of an own cell, else "". */
export type CellName = { workspace: string; label: string; key: string; owner: string };

/** What a put leaves in its cell. `expiresAt` in ms of the broker's clock; null: never. */
export type CellValue = { version: number; hash: string; expiresAt: number | null; tombstone: boolean };

export type Cell = LogRecord & CellValue;

export type NewRecord = LogRecord & {
  workspace: string;
  /** (sender, id) is a record's identity, remembered beyond the record's own life. */
  sender: string;
  id: string;
  label: string;
  /** Set for a put: it takes the place of the record in its cell. A guard's predecessors stay, in no cell and for good. */
  cell: (Pick<CellName, "key" | "owner"> & CellValue) | null;
};

export type Place = { seq: number; at: number };

/** What retention takes away; times in ms of the broker's clock. Chain entries and live values stay. */
export type Retention = {
  /** Appends committed before this. */
  appendsBefore: number;
  /** Tombstones and expired values from before this. */
  deadBefore: number;
  /** Identities of records that are gone, from before this. */
  idsBefore: number;
  /** The oldest appends of a workspace whose records take more bytes than this. */
  quotaBytes: number;
};

export type Commit = {
  /** Workspaces whose genesis is in `records`. */
  workspaces: readonly { id: string; logId: string }[];
  records: readonly NewRecord[];
  /** Invite codes, so that a link can be looked up without its workspace. */
  invites: readonly { code: string; workspace: string }[];
};

export type Selection = {
  /** Exclusive. */
  after: number;
  /** Records to one of these labels, or by this sender. */
  labels: readonly string[];
  sender: string;
  maxRecords: number;
  /** Ends the page once reached; the first record is given whatever its size. */
  maxBytes: number;
};

/** Somebody asks to join by an invite that was mailed; `answer` once they are let in. Both are JSON. */
export type StoredRequest = { user: string; at: number; request: string; answer: string | null };

/** `since`: the newest sequence when it was said. */
export type StoredBlock = { member: string; blocked: string; since: number };

export type Store = {
  /** Null for an unknown workspace. `head` is the newest sequence, whether its record is still there or not. */
  workspace(id: string): Promise<{ logId: string; head: number; floor: number } | null>;
  /** The membership chain, oldest first. */
  chain(workspace: string): Promise<LogRecord[]>;
  /** Where these records stand or stood; null for those that aren't known. */
  places(keys: readonly { workspace: string; sender: string; id: string }[]): Promise<(Place | null)[]>;
  /** What these cells hold, tombstones and expired values too. */
  cells(names: readonly CellName[]): Promise<(Cell | null)[]>;
  /** The values that guard labels now: those whose cell has its label's own name. */
  guards(workspace: string): Promise<LogRecord[]>;
  /** Id of the record at this sequence; null where none is any more. */
  idAt(workspace: string, seq: number): Promise<string | null>;
  /** All or nothing, durable when it resolves. @throws MeshError storage_full; anything else is fatal */
  commit(commit: Commit): Promise<void>;
  /** In order of sequence. `through`: nothing selected at or below it is missing. */
  select(workspace: string, selection: Selection): Promise<{ records: LogRecord[]; through: number }>;
  /** A label's records below `before`, newest first. Ends once `maxBytes` is reached, but never before its first record. */
  history(
    workspace: string,
    label: string,
    before: number,
    limit: number,
    maxBytes?: number,
  ): Promise<LogRecord[]>;
  /** Who doesn't want to hear whom. */
  blocks(workspace: string): Promise<StoredBlock[]>;
  /** All of one member's, in place of those before. */
  putBlocks(workspace: string, member: string, blocks: readonly Omit<StoredBlock, "member">[]): Promise<void>;
  inviteWorkspace(code: string): Promise<string | null>;
  /** Oldest first. */
  joinRequests(code: string): Promise<StoredRequest[]>;
  /** One for each user: asked again, the newer one counts, unless the older one is answered. */
  putJoinRequest(code: string, request: Omit<StoredRequest, "answer">): Promise<void>;
  answerJoinRequest(code: string, user: string, answer: string): Promise<void>;
  /** Those that came before this time. */
  dropJoinRequests(before: number): Promise<void>;
  /** Takes a bounded bite: asked again while it says `more`. `floors`: those that rose, by workspace. */
  retain(retention: Retention): Promise<{ floors: ReadonlyMap<string, number>; more: boolean }>;
  close(): Promise<void>;
};
