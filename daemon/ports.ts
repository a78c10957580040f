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
  startedAt: number;
  /** Asks the process to stop cleanly. */
  requestStop(): void;
};

export type DaemonConfig = { name: string; host: string; brokers: Brokers };
