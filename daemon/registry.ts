/** Everything the daemon answers: what any peer does, and what only a daemon does, a line each. */
import type { Handlers } from "#protocol/registry.ts";
import { accountHandlers } from "#sdk/features/account.ts";
import { backupHandlers } from "#sdk/features/backup.ts";
import { deviceHandlers } from "#sdk/features/device.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import { peerHandlersOf } from "#sdk/registry.ts";
import type { Approvals } from "./approvals.ts";
import type { Delivery } from "./delivery/delivery.ts";
import { whoamiHandler } from "./methods/account.ts";
import { approvalHandlers } from "./methods/approval.ts";
import { daemonHandlers } from "./methods/daemon.ts";
import { feedHandlers } from "./methods/feed.ts";
import { hookHandlers } from "./methods/hook.ts";
import { policyHandlers } from "./methods/policy.ts";
import { sessionHandlers } from "./methods/session.ts";
import type { Judge } from "./policy/judge.ts";
import type { Rules } from "./policy/rules.ts";
import type { DaemonConfig, DaemonPorts } from "./ports.ts";
import type { Sessions } from "./sessions.ts";
import type { Asking } from "./transcripts/asking.ts";
import type { WorkspaceSockets } from "./workspace-sockets.ts";

/** What holds for this person's sessions, and who applies it. Null rules: they are nobody's business here. */
export type Policing = { rules: Rules | null; judge: Pick<Judge, "imagine"> };

export function handlersOf(
  peer: Peer,
  sessions: Sessions,
  delivery: Delivery,
  { rules, judge }: Policing,
  approvals: Approvals,
  asking: Pick<Asking, "ask">,
  ports: DaemonPorts,
  config: DaemonConfig,
  sockets: Pick<WorkspaceSockets, "pathOf">,
): Handlers<Caller> {
  return {
    ...peerHandlersOf(peer, config.brokers),
    account: {
      ...accountHandlers(peer, config.brokers),
      ...backupHandlers(peer, config.brokers),
      ...whoamiHandler(peer, ports, config.brokers),
    },
    approval: approvalHandlers(peer, approvals, ports.decisions),
    device: deviceHandlers(peer),
    daemon: daemonHandlers(peer, sessions, delivery, rules, ports, config, sockets),
    feed: feedHandlers(peer),
    policy: policyHandlers(rules, judge, sessions),
    session: {
      ...sessionHandlers(peer, sessions, delivery),
      ...hookHandlers(peer, sessions, delivery),
      ask: asking.ask,
    },
  };
}
