/** What a peer is given: a daemon gives it Node's world, a browser or a test another. */
import type {
  Clock,
  Curves,
  Database,
  Dial,
  FetchJson,
  Keychain,
  Log,
  Migration,
  Network,
  Random,
  Stretch,
  Timers,
} from "#protocol/ports.ts";

export type PeerPorts = {
  clock: Clock;
  timers: Timers;
  random: Random;
  curves: Curves;
  dial: Dial;
  fetchJson: FetchJson;
  stretch: Stretch;
  /** Where nobody can tell, dead links are noticed by their silence alone. */
  network?: Network;
  keychain: Keychain;
  /** One database an account, one a workspace; `name` is "account" or a workspace id. */
  openDatabase(name: string, migrations: readonly Migration[]): Database;
  removeDatabase(name: string): void;
  /** The account goes by another name now, on whichever of its machines it was given. */
  renamed?(name: string): void;
  log: Log;
};
