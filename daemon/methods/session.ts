/** session.attach, session.list */
import type { Handlers } from "#protocol/registry.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import type { Sessions } from "../sessions.ts";

export function sessionHandlers(peer: Peer, sessions: Sessions): Handlers<Caller>["session"] {
  return {
    attach(params, caller) {
      const session = sessions.attach(params);
      caller.ended(() => sessions.detach(session));
      return { name: session.name, address: `${peer.account.name}/${session.name}` };
    },
    list: () => ({
      sessions: sessions
        .list()
        .map(({ since, ...face }) => ({ ...face, since: new Date(since).toISOString() })),
    }),
  };
}
