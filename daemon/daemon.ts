/** A daemon from its parts: the person's peer, the sessions attached to it, and the door that clients come in by. */
import type { MeshError } from "#protocol/errors.ts";
import { FREE } from "#protocol/method.ts";
import { deviceName } from "#sdk/features/account.ts";
import { mayDo } from "#sdk/features/grant.ts";
import { createPeer } from "#sdk/peer.ts";
import type { Answering } from "#sdk/presence/self.ts";
import { abilities } from "#sdk/registry.ts";
import { brokerForNew } from "#sdk/which-broker.ts";
import { PERSONAL } from "#sdk/which-workspace.ts";
import { answerAbout, createApprovals } from "./approvals.ts";
import { createServe, type Serve } from "./connection.ts";
import { createConsent } from "./consent.ts";
import { createDelivery } from "./delivery/delivery.ts";
import { type Answer, createDispatch } from "./dispatch.ts";
import { createDoors } from "./door.ts";
import {
  noApprovals,
  noAsking,
  noDecisions,
  noDelivery,
  noPolicing,
  noSessions,
  onlyWorkspace,
} from "./one-workspace.ts";
import { createJudge } from "./policy/judge.ts";
import { openRules } from "./policy/rules.ts";
import type { DaemonConfig, DaemonPorts } from "./ports.ts";
import { handlersOf } from "./registry.ts";
import { createSessions } from "./sessions.ts";
import { createAsking, decisionOf, type MayAsk } from "./transcripts/asking.ts";
import { createWorkspaceSockets, type WorkspaceSockets } from "./workspace-sockets.ts";

/** At once, on the daemon's own socket and on each workspace's. */
const CONNECTIONS = 512;
const WORKSPACE_CONNECTIONS = 64;

export type Daemon = {
  serve: Serve;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The database of that name has failed: its workspace is left alone from now on, the others go on. */
  databaseFailed(name: string, why: MeshError): void;
};

const mayAsk: MayAsk = (workspace, member, session) => mayDo(workspace, member, "ask", session ?? undefined);

export async function createDaemon(ports: DaemonPorts, config: DaemonConfig): Promise<Daemon> {
  const approvals = createApprovals(ports);
  const answerApproval = answerAbout(
    approvals,
    () => peer.account.user,
    (dev) => deviceName(peer, dev),
  );
  const answering: Answering = (question, from, where) =>
    answerApproval(question, from) ?? asking.answer(question, from, where);
  const peer = await createPeer(ports, { name: config.name, host: config.host, answering }, abilities);
  const isNew = !peer.person.isLoggedOut() && peer.opened().length + peer.broken().length === 0;
  if (isNew) await peer.create(PERSONAL, brokerForNew(config.brokers, peer.person));
  const sessions = createSessions(peer);
  const rules = openRules(ports.policy, ports);
  const judge = createJudge(peer, rules.now);
  const delivery = createDelivery(peer, sessions, ports.claude, { judge, rules });
  const files = ports.claude;
  const asking = createAsking(
    { peer, sessions, delivery, files },
    { mayAsk, record: (one) => ports.decisions.append(decisionOf(one)) },
  );
  const callerOf = (id: string) => {
    const known = sessions.caller(id);
    if (known) return known;
    delivery.refresh();
    return sessions.caller(id);
  };
  let stopping = false;
  const { version, pid, log, timers } = ports;
  const doors = createDoors(log);
  const serveWith = (answer: Answer, connections: number) =>
    doors.door(createServe({ answer, version, pid, log, timers }), connections);
  const consent = createConsent(peer, approvals, ports.decisions, () =>
    peer.person.isLoggedOut() ? config.host : deviceName(peer, peer.account.device.id),
  );
  const common = { version, log, consent, isStopping: () => stopping };

  const sockets: WorkspaceSockets = createWorkspaceSockets(peer, ports, (id, path) => {
    const only = onlyWorkspace(peer, id);
    const { broker } = only.writable(undefined).workspace;
    const own = { ...ports, socketPath: path, decisions: noDecisions };
    const answer = createDispatch({
      ...common,
      handlers: handlersOf(
        only,
        noSessions,
        noDelivery,
        noPolicing,
        noApprovals,
        noAsking,
        own,
        { ...config, brokers: { given: broker, embedded: null } },
        sockets,
      ),
      session: noSessions.caller,
      most: FREE,
      async changed() {},
    });
    return serveWith(answer, WORKSPACE_CONNECTIONS);
  });
  const answer = createDispatch({
    ...common,
    handlers: handlersOf(
      peer,
      sessions,
      delivery,
      { rules, judge },
      approvals,
      asking,
      ports,
      config,
      sockets,
    ),
    session: callerOf,
    // A workspace may have come, gone, or another name.
    changed: sockets.sync,
  });
  const serve = serveWith(answer, CONNECTIONS);
  peer.listen((_, happening) => {
    const isMessage = happening.type === "applied" && happening.event.kind !== "workspace.profile";
    if (!isMessage) sockets.sync();
  });
  return {
    serve,
    async start() {
      peer.start();
      await sockets.sync();
    },
    databaseFailed(name, why) {
      peer
        .setAside(name, why)
        .catch((error) => ports.log.error({ error: String(error) }, "a failed database can't be closed"));
    },
    stop() {
      stopping = true;
      rules.close();
      sockets.close();
      return peer.stop();
    },
  };
}
