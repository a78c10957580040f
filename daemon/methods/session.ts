/** session.attach, list; name, summary, status, stats of the session that speaks */
import { MeshError } from "#protocol/errors.ts";
import type { Handlers } from "#protocol/registry.ts";
import { countsOf } from "#sdk/messages/inbox.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import type { Delivery } from "../delivery/delivery.ts";
import { type AttachedSession, faceOf, type Sessions } from "../sessions.ts";

export function sessionHandlers(
  peer: Peer,
  sessions: Sessions,
  delivery: Delivery,
): Omit<Handlers<Caller>["session"], "ask" | "hook" | "line"> {
  const ownFaceOf = ({ id, name, status, summary }: AttachedSession) => ({
    id,
    name,
    address: `${peer.account.name}/${name}`,
    status,
    summary,
  });

  /** @throws MeshError session_needed for a client that speaks for none */
  const calling = ({ session }: Caller): AttachedSession => {
    const found = session && sessions.find(session.id);
    if (found) return found;
    throw new MeshError(
      "session_needed",
      "This is about one session, and none that is attached here speaks.",
      "Run it inside of a Claude session, or name one by --session; see `claudemesh session list`.",
    );
  };

  const change = (caller: Caller, face: Parameters<Sessions["change"]>[1]) => {
    const session = calling(caller);
    sessions.change(session, face);
    return ownFaceOf(session);
  };

  return {
    attach({ claude, cwd, host, id }, caller, emit) {
      const client = claude ?? null;
      // The client starts its servers to look whether they work, with the id of a session that nobody has.
      if (client && !client.inbox && !delivery.isKnown(client)) throw noSession();
      const type = client ? "claude" : "other";
      const session = sessions.attach({ id: delivery.idOf(id, client), cwd, host, type });
      caller.ended(() => sessions.detach(session));
      caller.ended(delivery.open(session, client, emit));
      return { name: session.name, address: ownFaceOf(session).address };
    },
    posted({ post, failed }) {
      delivery.posted(post, failed ?? null);
      return {};
    },
    list: () => ({
      sessions: sessions.list().map((session) => {
        const { reach, trouble } = delivery.describe(session);
        return { ...faceOf(session), since: new Date(session.since).toISOString(), reach, trouble };
      }),
    }),
    name: ({ name }, caller) => change(caller, { name }),
    summary: ({ text }, caller) => change(caller, { summary: text === "" ? null : text }),
    status: ({ status }, caller) => change(caller, { status }),
    stats(_, caller) {
      const session = calling(caller);
      const since = new Date(session.since).toISOString();
      return { ...ownFaceOf(session), since, ...countsOf(peer, caller) };
    },
  };
}

function noSession(): MeshError {
  return new MeshError(
    "not_found",
    "That client is at no session.",
    "It only looked whether the adapter works; try again once it is.",
  );
}
