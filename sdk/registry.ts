/** Every feature of a peer, one line each: its index, what it does by itself, what it answers. */
import type { Handlers } from "#protocol/registry.ts";
import { auditHandlers } from "./features/audit.ts";
import { focus, keepFocus } from "./features/focus.ts";
import { followAlike } from "./features/following.ts";
import { grant, grantHandlers, keepBlocks } from "./features/grant.ts";
import { group, groupHandlers } from "./features/group.ts";
import { inviteHandlers } from "./features/invite.ts";
import { introduceMyself, member, peerHandlers } from "./features/member.ts";
import { message, messageHandlers } from "./features/message.ts";
import { notice } from "./features/notice.ts";
import { reading, tellReads } from "./features/reading.ts";
import { createReceiptSender, receipt } from "./features/receipt.ts";
import { bounceUnknown, giveToSession } from "./features/routing.ts";
import { claimNames, session } from "./features/session.ts";
import { topic, topicHandlers } from "./features/topic.ts";
import { meetByMessage, trustHandlers } from "./features/trust.ts";
import { learnName, workspace, workspaceHandlers } from "./features/workspace.ts";
import { createWordKeeper } from "./messages/words.ts";
import type { Abilities, Caller, Peer } from "./peer.ts";
import type { Brokers } from "./which-broker.ts";

export const abilities: Abilities = {
  features: [workspace, member, grant, session, focus, group, message, reading, notice, receipt, topic],
  reactions: [
    learnName,
    introduceMyself,
    followAlike,
    claimNames,
    meetByMessage,
    giveToSession,
    keepFocus,
    bounceUnknown,
    keepBlocks,
    createReceiptSender,
    createWordKeeper,
    tellReads,
  ],
};

/** What a peer answers anywhere; a daemon adds what only a daemon does. */
export function peerHandlersOf(peer: Peer, brokers: Brokers) {
  return {
    audit: auditHandlers(peer),
    group: groupHandlers(peer),
    invite: inviteHandlers(peer),
    message: messageHandlers(peer),
    peer: { ...peerHandlers(peer), ...trustHandlers(peer), ...grantHandlers(peer) },
    topic: topicHandlers(peer),
    workspace: workspaceHandlers(peer, brokers),
  } satisfies Partial<Handlers<Caller>>;
}

export type PeerHandlers = ReturnType<typeof peerHandlersOf>;
