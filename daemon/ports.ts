/** What a daemon is given beyond what its peer needs. */
import type { Decision } from "#protocol/features/approval.ts";
import type { PeerPorts } from "#sdk/ports.ts";
import type { Brokers } from "#sdk/which-broker.ts";
import type { Serve } from "./connection.ts";

export type SocketServer = {
  /** Nobody new comes in. Who is connected stays so until the process ends: that is how `down` knows that it has. */
  close(): void;
  /** Ends everybody's connection as well. */
  end(): void;
};

/** What was decided of requests that aren't free: it only grows. */
export type Decisions = {
  /** Whether it is written down. */
  append(decision: Decision): boolean;
  /** Oldest first. */
  newest(limit: number): Decision[];
};

/** A client that runs here. `config`: the folder of its configuration; `inbox`: its adapter can write to it. */
export type ClaudeClient = { pid: number; config: string; inbox: boolean };

/** What Claude clients leave in files of what they are at: facts of theirs, which any of their versions may change. */
export type ClaudeFiles = {
  /** Which session that client is at, and what it does there; null: it doesn't say. */
  state(client: ClaudeClient): { session: string; status: string; version: string } | null;
  /** Runs after each change of that, until the answer is called. */
  onState(client: ClaudeClient, run: () => void): () => void;
  /** Each line that comes to that session's transcript, from the first `look` on; at first the last ones that are there. */
  follow(
    of: ClaudeClient & { session: string },
    line: (line: string) => void,
  ): { look(): void; close(): void };
  /**
   * The lines of that session's transcript, some at a time, newest first; null where it has none. Without the folder of its
   * configuration, as of a session that has ended: where clients keep it who are told nothing else.
   */
  readBack(of: { session: string; config: string | null }): AsyncIterable<readonly string[]> | null;
  /** What its person has set about messages from outside. */
  inbound(config: string): "accept" | "hold" | "refuse";
  /** Whether it was started so that it asks for no permission. */
  bypasses(client: ClaudeClient): Promise<boolean>;
  repository(folder: string): { repo: string | null; branch: string | null };
};

/** The person's rules, as they write them. */
export type PolicyFile = {
  path: string;
  /** Null where there is none. @throws MeshError bad_data */
  read(): string | null;
  /** Unless there is one. @throws the system's error */
  create(text: string): void;
  /** The old one or the new one, never half of it. @throws the system's error */
  replace(text: string): void;
  /** Runs after each change of it, until the answer is called. */
  onChange(run: () => void): () => void;
};

export type DaemonPorts = PeerPorts & {
  pid: number;
  version: string;
  /** For `status` and `whoami`: where things lie. */
  home: string;
  socketPath: string;
  /** Where the socket of the workspace with that slug belongs. */
  workspaceSocket(slug: string): string;
  /** @throws MeshError refused, or the system's error, when there can't be a socket at that path */
  listen(path: string, serve: Serve): Promise<SocketServer>;
  decisions: Decisions;
  claude: ClaudeFiles;
  policy: PolicyFile;
  startedAt: number;
  /** Asks the process to stop cleanly. `byPerson`: who is attached isn't to start it again. */
  requestStop(byPerson: boolean): void;
};

export type DaemonConfig = { name: string; host: string; brokers: Brokers };
