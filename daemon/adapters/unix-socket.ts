/** The daemon's unix socket: owner only, never over somebody else's, gone when the daemon stops. */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { securePrivateFolder } from "#adapters/home.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Channel, Serve } from "../dispatch.ts";

/** A reader this far behind is cut off; it can ask again. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

export type SocketServer = {
  /** Nobody new comes in. Who is connected stays so until the process ends: that is how `down` knows that it has. */
  close(): void;
};

/**
 * The caller owns the folder by its lock, so whatever lies at `path` is a leftover.
 * @throws MeshError refused when it isn't a socket of ours
 */
export async function listenUnix(path: string, serve: Serve): Promise<SocketServer> {
  securePrivateFolder(dirname(path));
  removeLeftover(path);
  const server = createServer((socket) => {
    const served = serve(channelOf(socket));
    socket.on("data", served.data);
    socket.on("error", () => socket.destroy());
    socket.on("close", served.closed);
  });
  // The mask makes the socket private from its first moment, not only after chmod.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
  return {
    close: () => void server.close(),
  };
}

function channelOf(socket: Socket): Channel {
  return {
    send(text) {
      if (socket.destroyed) return;
      socket.write(text);
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
    },
    end: () => socket.end(() => socket.destroy()),
  };
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
