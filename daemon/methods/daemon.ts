/** daemon.status, daemon.stop, daemon.doctor, daemon.selfCheck */
import { MeshError } from "#protocol/errors.ts";
import { isNewer } from "#protocol/newer.ts";
import type { Handlers } from "#protocol/registry.ts";
import { noteOf } from "#sdk/features/workspace.ts";
import { unreadCount } from "#sdk/messages/inbox.ts";
import type { Broken, Caller, Opened, Peer } from "#sdk/peer.ts";
import { brokerForNew } from "#sdk/which-broker.ts";
import { PERSONAL } from "#sdk/which-workspace.ts";
import type { Delivery } from "../delivery/delivery.ts";
import type { Rules } from "../policy/rules.ts";
import type { DaemonConfig, DaemonPorts } from "../ports.ts";
import type { Sessions } from "../sessions.ts";
import type { WorkspaceSockets } from "../workspace-sockets.ts";
import { doctor } from "./doctor.ts";

const CHECK_LIMIT_MS = 10_000;

export function daemonHandlers(
  peer: Peer,
  sessions: Sessions,
  delivery: Delivery,
  rules: Rules | null,
  ports: DaemonPorts,
  config: DaemonConfig,
  sockets: Pick<WorkspaceSockets, "pathOf">,
): Handlers<Caller>["daemon"] {
  return {
    status: () => ({
      daemon: {
        pid: ports.pid,
        version: ports.version,
        uptimeMs: Math.floor(ports.clock.now() - ports.startedAt),
        home: ports.home,
        socket: ports.socketPath,
        policy: rules && { path: rules.path, trouble: rules.trouble()?.message ?? null },
      },
      account: { userId: peer.person.user(), name: peer.person.name() },
      broker: {
        url: brokerForNew(config.brokers, peer.person),
        embedded: config.brokers.embedded !== null,
      },
      workspaces: [...peer.opened().map(openStatus), ...peer.broken().map(brokenStatus)].map((one) => ({
        ...one,
        socket: sockets.pathOf(one.id),
      })),
    }),
    stop({ olderThan }) {
      if (olderThan !== undefined && !isNewer(olderThan, ports.version)) return { stopping: false };
      ports.log.info({ olderThan: olderThan ?? null }, "asked to stop");
      ports.requestStop(olderThan === undefined);
      return { stopping: true };
    },
    doctor: () => doctor(peer, sessions, delivery, rules),
    selfCheck: () => selfCheck(peer, ports),
  };
}

function openStatus({ slug, workspace }: Opened) {
  try {
    return {
      id: workspace.id,
      slug,
      broker: workspace.broker,
      link: workspace.link(),
      outbox: workspace.replica.outboxSize(),
      unread: unreadCount(workspace),
      cursor: workspace.replica.cursor(),
      trouble: noteOf(workspace),
    };
  } catch (error) {
    // Its database fails just now, and is set aside when this is over.
    if (!(error instanceof MeshError)) throw error;
    return brokenStatus({ id: workspace.id, slug, why: error });
  }
}

/** Its database can't be asked: the figures stand for nothing. */
function brokenStatus({ id, slug, why }: Broken) {
  return {
    id,
    slug,
    broker: null,
    link: "offline" as const,
    outbox: 0,
    unread: 0,
    cursor: 0,
    trouble: why.message,
  };
}

/** Sends one record to myself through every layer and times each hop. */
async function selfCheck(peer: Peer, ports: DaemonPorts) {
  const opened = peer.opened().find(({ slug, workspace }) => slug === PERSONAL && workspace.broker !== null);
  if (!opened) throw new MeshError("offline", "There is no broker to check.", "Start one: claudemesh up");
  const { workspace } = opened;
  const online = () => (workspace.link() === "online" && workspace.replica.outboxSize() === 0 ? true : null);
  await workspace.changed.until(online, CHECK_LIMIT_MS, "the personal workspace's broker");

  const marks: { hop: string; at: number }[] = [];
  const mark = (hop: string) => marks.push({ hop, at: ports.clock.now() });
  let id = "";
  const stop = peer.listen((where, happening) => {
    if (where.workspace !== workspace) return;
    if (happening.type === "acked" && happening.id === id)
      mark("sealed, signed, ordered and committed by the broker");
    if (happening.type === "applied" && happening.record.id === id && !happening.isNew)
      mark("back, verified, opened and committed here");
  });
  try {
    const startedAt = ports.clock.now();
    id = await workspace.say(workspace.me, { kind: "probe", at: Math.floor(startedAt) });
    mark("committed to the outbox");
    await workspace.changed.until(
      () => (marks.length >= 3 ? true : null),
      CHECK_LIMIT_MS,
      "the check's message",
    );
    const times = [startedAt, ...marks.map(({ at }) => at)];
    const hops = marks.map(({ hop, at }, i) => ({ hop, us: Math.round((at - (times[i] ?? at)) * 1000) }));
    return { hops, totalUs: hops.reduce((sum, { us }) => sum + us, 0) };
  } finally {
    stop();
  }
}
