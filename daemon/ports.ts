/** What a daemon is given beyond what its peer needs. */
import type { PeerPorts } from "#sdk/ports.ts";

export type DaemonPorts = PeerPorts & {
  pid: number;
  version: string;
  /** For `status` and `whoami`: where things lie. */
  home: string;
  socketPath: string;
  /** Asks the process to stop cleanly. */
  requestStop(): void;
};

export type DaemonConfig = { name: string; host: string; defaultBroker: string | null; embedded: boolean };
