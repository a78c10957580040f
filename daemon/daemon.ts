/** A daemon from its parts: the person's peer, the sessions attached to it, and the door that clients come in by. */
import type { MeshError } from "#protocol/errors.ts";
import { createPeer, PERSONAL } from "#sdk/peer.ts";
import { abilities } from "#sdk/registry.ts";
import { createDispatch, type Serve } from "./dispatch.ts";
import { noSessions, onlyWorkspace } from "./one-workspace.ts";
import type { DaemonConfig, DaemonPorts } from "./ports.ts";
import { handlersOf } from "./registry.ts";
import { createSessions } from "./sessions.ts";
import { createWorkspaceSockets, type WorkspaceSockets } from "./workspace-sockets.ts";

export type Daemon = {
  serve: Serve;
  start(): void;
  stop(): Promise<void>;
  /** The database of that name has failed: its workspace is left alone from now on, the others go on. */
  databaseFailed(name: string, why: MeshError): void;
};

export async function createDaemon(ports: DaemonPorts, config: DaemonConfig): Promise<Daemon> {
  const peer = await createPeer(ports, { name: config.name, host: config.host }, abilities);
  if (peer.opened().length + peer.broken().length === 0) await peer.create(PERSONAL, config.defaultBroker);
  const sessions = createSessions(peer);
  let stopping = false;
  const common = {
    version: ports.version,
    pid: ports.pid,
    log: ports.log,
    isStopping: () => stopping,
  };
  const sockets: WorkspaceSockets = createWorkspaceSockets(peer, ports, (id, path) => {
    const only = onlyWorkspace(peer, id);
    const { broker } = only.writable(undefined).workspace;
    const own = { ...ports, socketPath: path };
    return createDispatch({
      ...common,
      handlers: handlersOf(only, noSessions, own, { ...config, defaultBroker: broker }, sockets),
      session: noSessions.caller,
      most: ["read", "write"],
      changed() {},
    });
  });
  const serve = createDispatch({
    ...common,
    handlers: handlersOf(peer, sessions, ports, config, sockets),
    session: sessions.caller,
    // A workspace may have come, gone, or another name.
    changed: sockets.sync,
  });
  peer.listen(sockets.sync);
  return {
    serve,
    start() {
      peer.start();
      sockets.sync();
    },
    databaseFailed(name, why) {
      peer
        .setAside(name, why)
        .catch((error) => ports.log.error({ error: String(error) }, "a failed database can't be closed"));
    },
    stop() {
      stopping = true;
      sockets.close();
      return peer.stop();
    },
  };
}
