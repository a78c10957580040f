/** The daemon's unix socket: owner only, never over somebody else's, gone when the daemon stops. */
import { chmodSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { corkOf } from "#adapters/cork.ts";
import { securePrivateFolder } from "#adapters/home.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Channel, Serve } from "../connection.ts";
import type { SocketServer } from "../ports.ts";

/** A reader this far behind is cut off; it can ask again. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;
/** For the client to read why it ends, and to end as well. */
const LINGER_MS = 1000;
/** More than that unread, and nothing is said to it any more. */
const LAST_WORDS_BYTES = 64 * 1024;

/**
 * The caller owns the folder by its lock, so whatever lies at `path` is a leftover.
 * @throws MeshError refused when it isn't a socket of ours
 */
export async function listenUnix(path: string, serve: Serve): Promise<SocketServer> {
  securePrivateFolder(dirname(path));
  removeLeftover(path);
  const connected = new Set<Socket>();
  const server = createServer((socket) => {
    connected.add(socket);
    socket.on("close", () => connected.delete(socket));
    const served = serve(channelOf(socket));
    socket.on("data", served.data);
    socket.on("drain", served.drained);
    socket.on("error", () => socket.destroy());
    socket.on("close", served.closed);
  });
  const listening = new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  // The mask makes the socket private from its first moment, not only after chmod. It is made in this very turn.
  const mask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
  await listening;
  chmodSync(path, 0o600);
  return {
    close: () => void server.close(),
    end() {
      server.close();
      for (const socket of connected) socket.destroy();
    },
  };
}

function channelOf(socket: Socket): Channel {
  const cork = corkOf(socket);
  return {
    send(text) {
      if (socket.destroyed) return;
      // One long answer may be longer than that; who hasn't read the last one when the next comes doesn't read.
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
      else {
        cork.hold();
        socket.write(text);
      }
    },
    end() {
      // Who hasn't read so far won't read why it ends.
      if (socket.writableLength > LAST_WORDS_BYTES) return void socket.destroy();
      // What the client writes meanwhile must not fail: it would lose what was said to it before it has read that.
      socket.removeAllListeners("data");
      socket.resume();
      socket.end();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    unread: () => socket.writableLength,
  };
}

/** Of a daemon that was killed, for workspaces that may have gone since. */
export function removeLeftovers(folder: string): void {
  securePrivateFolder(folder);
  for (const name of readdirSync(folder)) {
    if (lstatSync(join(folder, name)).isSocket()) rmSync(join(folder, name));
  }
}

function removeLeftover(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) {
    throw new MeshError(
      "refused",
      `${path} is in the way and no socket.`,
      "Look at what it is, and move it away.",
    );
  }
  rmSync(path);
}
