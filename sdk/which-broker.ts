/** Where new workspaces go, and which broker is no place for what is to be found from elsewhere. */
import type { Person } from "./account/person.ts";

export type Brokers = {
  /** The one that this machine was told to use. */
  given: string | null;
  /** The one that came with the daemon, on this machine alone. */
  embedded: string | null;
};

/** The given one, else the account's home, else the embedded one; null where there is none. */
export function brokerForNew({ given, embedded }: Brokers, person: Pick<Person, "home">): string | null {
  return given ?? person.home()?.origin ?? embedded;
}
