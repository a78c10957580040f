/** A socket for each workspace, there as long as the workspace is and under its slug. */

import type { Peer } from "#sdk/peer.ts";
import type { Serve } from "./connection.ts";
import type { DaemonPorts, SocketServer } from "./ports.ts";

export type WorkspaceSockets = {
  /** Brings the sockets in line with the workspaces; resolves when they are. */
  sync(): Promise<void>;
  /** Null while there is none. */
  pathOf(workspace: string): string | null;
  close(): void;
};

export function createWorkspaceSockets(
  peer: Peer,
  { workspaceSocket, listen, log }: Pick<DaemonPorts, "workspaceSocket" | "listen" | "log">,
  serveFor: (workspace: string, path: string) => Serve,
): WorkspaceSockets {
  const open = new Map<string, { path: string; server: SocketServer }>();
  /** Where listening failed: told once, tried again with each change. */
  const failed = new Set<string>();
  let closed = false;
  /** The workspaces as they were when last looked at. */
  let synced: string | null = null;
  let working = Promise.resolve();

  const work = async () => {
    const wanted = new Map(peer.opened().map(({ slug, workspace }) => [workspace.id, workspaceSocket(slug)]));
    for (const [id, { path, server }] of open) {
      if (wanted.get(id) === path) continue;
      open.delete(id);
      server.end();
    }
    for (const [id, path] of wanted) {
      if (open.has(id) || closed) continue;
      try {
        open.set(id, { path, server: await listen(path, serveFor(id, path)) });
        failed.delete(id);
      } catch (error) {
        // By its code: the message has the workspace's name in it.
        const code = error instanceof Error && "code" in error ? error.code : String(error);
        if (!failed.has(id)) log.warn({ workspace: id, code }, "no socket for this workspace");
        failed.add(id);
      }
    }
    if (closed) close();
  };

  const close = () => {
    closed = true;
    for (const { server } of open.values()) server.end();
    open.clear();
  };

  return {
    sync() {
      // Asked after every write, of which few change anything here.
      const names = peer.opened().map(({ slug, workspace }) => `${workspace.id} ${slug}`);
      if (failed.size === 0 && names.join() === synced) return working;
      synced = names.join();
      working = working
        .then(work)
        .catch((error) => log.error({ error: String(error) }, "workspace sockets failed"));
      return working;
    },
    pathOf: (id) => open.get(id)?.path ?? null,
    close,
  };
}
