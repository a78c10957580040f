/**
 * Who is let in at a socket, and who has to go when it becomes too much. Newcomers who haven't said who they are make room
 * first; of the memory for all together, who takes most of it is the one to go.
 */
import { errorShape, MeshError } from "#protocol/errors.ts";
import type { Log } from "#protocol/ports.ts";
import { encodeSocketFrame } from "#protocol/socket.ts";
import type { Channel, Serve, Served } from "./connection.ts";

/** Bytes kept for clients, of all sockets together. One answer may be that of a long inbox. */
const MAX_HELD_BYTES = 128 * 1024 * 1024;
/** Smaller ones aren't looked at each time. */
const NOTICED_BYTES = 256 * 1024;

type Guest = { channel: Channel; served: Served };

export type Doors = {
  /** Puts a door before `serve` that lets so many in at once. */
  door(serve: Serve, connections: number): Serve;
};

export function createDoors(log: Log, maxHeldBytes = MAX_HELD_BYTES): Doors {
  const everybody = new Set<Guest>();

  const expel = ({ channel, served }: Guest, why: string) => {
    log.warn({ why }, "a connection was ended");
    channel.send(refusal(why));
    served.expelled();
    channel.end();
  };

  const watchMemory = (served: Served) => {
    if (served.held() < NOTICED_BYTES) return;
    let held = 0;
    let largest: Guest | null = null;
    for (const guest of everybody) {
      const own = guest.served.held();
      held += own;
      if (!largest || own > largest.served.held()) largest = guest;
    }
    if (held <= maxHeldBytes || !largest) return;
    everybody.delete(largest);
    expel(largest, "Too much is kept for this connection.");
  };

  return {
    door: (serve, connections) => {
      const inside = new Set<Guest>();

      const makeRoom = (): boolean => {
        if (inside.size < connections) return true;
        const silent = [...inside].find(({ served }) => !served.isGreeted());
        if (!silent) return false;
        inside.delete(silent);
        expel(silent, "Others who came later had something to say.");
        return true;
      };

      return (channel) => {
        if (!makeRoom()) {
          channel.send(refusal(`The daemon has ${connections} connections already.`));
          channel.end();
          return NOBODY;
        }
        const served = serve({
          ...channel,
          send(text) {
            channel.send(text);
            watchMemory(served);
          },
        });
        const guest = { channel, served };
        inside.add(guest);
        everybody.add(guest);
        return {
          ...served,
          data(chunk) {
            served.data(chunk);
            watchMemory(served);
          },
          closed() {
            inside.delete(guest);
            everybody.delete(guest);
            served.closed();
          },
        };
      };
    },
  };
}

/** Behind a door that stayed shut. */
const NOBODY: Served = {
  data() {},
  drained() {},
  closed() {},
  expelled() {},
  isGreeted: () => false,
  held: () => 0,
};

function refusal(why: string): string {
  const error = new MeshError("busy", why, "Close some, and try again in a moment.");
  return encodeSocketFrame({ type: "error", data: errorShape(error) });
}
