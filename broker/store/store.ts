/**
 * What the broker asks of a database. SQLite today; a second adapter passes the same acceptance suite.
 * All of it is ciphertext and routing: ids, labels, sizes, times, and the plaintext membership chain.
 */

/** A record as the log keeps it. `at` is the broker's time of the commit, in ms. */
export type LogRecord = { seq: number; at: number; bytes: Uint8Array };

export type NewRecord = LogRecord & {
  workspace: string;
  /** (sender, id) is a record's identity: unique for ever within a workspace. */
  sender: string;
  id: string;
  label: string;
};

export type Place = { seq: number; at: number };

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

export type Store = {
  /** Null for an unknown workspace. `head` is the newest sequence. */
  workspace(id: string): Promise<{ logId: string; head: number } | null>;
  /** The membership chain, oldest first. */
  chain(workspace: string): Promise<LogRecord[]>;
  /** Where these records already stand; null for those that aren't known. */
  places(keys: readonly { workspace: string; sender: string; id: string }[]): Promise<(Place | null)[]>;
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
  inviteWorkspace(code: string): Promise<string | null>;
  close(): Promise<void>;
};
