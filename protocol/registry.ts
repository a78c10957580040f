/** Every feature, one line each: what travels sealed (events) and what can be asked of a daemon (methods). */
import type { z } from "zod";
import * as account from "./features/account.ts";
import * as approval from "./features/approval.ts";
import * as audit from "./features/audit.ts";
import * as daemon from "./features/daemon.ts";
import * as group from "./features/group.ts";
import * as invite from "./features/invite.ts";
import * as member from "./features/member.ts";
import * as message from "./features/message.ts";
import * as policy from "./features/policy.ts";
import * as receipt from "./features/receipt.ts";
import * as topic from "./features/topic.ts";
import * as workspace from "./features/workspace.ts";

/** Kind → schema of what a record may carry. Later versions add kinds; an unknown one is kept and tried again. */
export const events = {
  ...daemon.events,
  ...group.events,
  ...member.events,
  ...message.events,
  ...receipt.events,
  ...topic.events,
  ...workspace.events,
};

/** Noun → verb → schema: `message.send` is `methods.message.send`. */
export const methods = {
  account: account.accountMethods,
  approval: approval.approvalMethods,
  audit: audit.auditMethods,
  daemon: daemon.daemonMethods,
  device: account.deviceMethods,
  feed: daemon.feedMethods,
  group: group.groupMethods,
  invite: invite.inviteMethods,
  message: message.messageMethods,
  peer: member.peerMethods,
  policy: policy.policyMethods,
  session: daemon.sessionMethods,
  topic: topic.topicMethods,
  workspace: workspace.workspaceMethods,
};

export type Events = { [K in keyof typeof events]: z.infer<(typeof events)[K]> };
export type MeshEvent = Events[keyof Events];
export type Methods = typeof methods;

type Params<M> = M extends { params: infer P extends z.ZodType } ? z.infer<P> : never;
type Result<M> = M extends { result: infer R extends z.ZodType } ? z.infer<R> : never;
type Streamed<M> = M extends { event: infer E extends z.ZodType } ? z.infer<E> : never;

/** A client's view of every method: `daemon.message.send({…})`. A streaming one takes a listener too. */
export type Client = {
  [N in keyof Methods]: {
    [V in keyof Methods[N]]: (
      params: Params<Methods[N][V]>,
      ...listener: [Streamed<Methods[N][V]>] extends [never] ? [] : [(event: Streamed<Methods[N][V]>) => void]
    ) => Promise<Result<Methods[N][V]>>;
  };
};

/** What answers them, given who asks. A streaming one is given `emit`. */
export type Handlers<Caller> = {
  [N in keyof Methods]: {
    [V in keyof Methods[N]]: (
      params: Params<Methods[N][V]>,
      caller: Caller,
      emit: (event: Streamed<Methods[N][V]>) => void,
    ) => Promise<Result<Methods[N][V]>> | Result<Methods[N][V]>;
  };
};
