/** Where claudemesh keeps things on this machine, and whether those places can be trusted. */
import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { MeshError } from "#protocol/errors.ts";

/** Longest path of a unix socket that works everywhere (macOS: 104 with the closing zero). */
const MAX_SOCKET_PATH = 103;

/** `$CLAUDEMESH_HOME`, else `~/.claudemesh`. */
export function homePath(): string {
  const chosen = process.env.CLAUDEMESH_HOME;
  return chosen ? resolve(chosen) : join(homedir(), ".claudemesh");
}

/** Where verbs look for the daemon: `$CLAUDEMESH_SOCKET`, say a workspace's in a container, else the home's. */
export function clientSocket(): { path: string; isGiven: boolean } {
  const given = process.env.CLAUDEMESH_SOCKET;
  return given ? { path: resolve(given), isGiven: true } : { path: socketPath(homePath()), isGiven: false };
}

/** There since a person has stopped the daemon, until it starts again. */
export function stoppedPath(home: string): string {
  return join(home, "stopped");
}

/** In the home, or, where that path is too long for a socket, in the user's runtime folder under the home's hash. */
export function socketPath(home: string): string {
  return fittingPath(join(home, "daemon.sock"), home, "");
}

/** Leads to one workspace alone. */
export function workspaceSocketPath(home: string, slug: string): string {
  return fittingPath(join(socketFolder(home), `${slug}.sock`), home, `-${slug}`);
}

export function socketFolder(home: string): string {
  return join(home, "sockets");
}

function fittingPath(path: string, home: string, suffix: string): string {
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path;
  // Verbs load this file; few of them need a hash, and node:crypto costs milliseconds.
  const { createHash } = process.getBuiltinModule("node:crypto");
  const name = createHash("sha256").update(home).digest("hex").slice(0, 16);
  return join(runtimePath(), `${name}${suffix}.sock`);
}

function runtimePath(): string {
  const given = process.env.XDG_RUNTIME_DIR;
  return given ? join(given, "claudemesh") : join(tmpdir(), `claudemesh-${userInfo().uid}`);
}

/**
 * Makes the folder if need be and refuses one that somebody else could write to or swap.
 * @throws MeshError refused, bad_data
 */
export function securePrivateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new MeshError(
      "bad_data",
      `${path} can't be made: ${reason(error)}.`,
      "Set CLAUDEMESH_HOME to a folder that you can write to.",
    );
  }
  const stat = lstatSync(path);
  if (stat.isSymbolicLink() || !stat.isDirectory()) {
    throw new MeshError(
      "refused",
      `${path} is a link or no folder.`,
      "Set CLAUDEMESH_HOME to the real folder.",
    );
  }
  if (stat.uid !== userInfo().uid) {
    throw new MeshError(
      "refused",
      `${path} belongs to another user.`,
      "Set CLAUDEMESH_HOME to a folder of your own.",
    );
  }
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

function reason(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
