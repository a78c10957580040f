/** One workspace of this account, open: its parts, wired. Features speak through `say` and read through `replica`. */
import { activeMember, isIn } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { type ErrorCode, fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { SessionFace } from "#protocol/features/member.ts";
import type { LinkState } from "#protocol/features/workspace.ts";
import { CHAIN, EVERYONE } from "#protocol/ids.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import type { Account } from "./account/account.ts";
import type { Document } from "./account/document.ts";
import { type Context, createContext, type Happening, type Membering } from "./context.ts";
import type { Feature } from "./feature.ts";
import { createAnswers } from "./link/answers.ts";
import { createLink, type Link, type LinkOwner } from "./link/link.ts";
import { createApprovals } from "./membership/approvals.ts";
import { chainSteps } from "./membership/chain.ts";
import { blockedAtBroker, blockedMembers } from "./membership/grants.ts";
import { createMembership } from "./membership/membership.ts";
import { createTopicChanges } from "./membership/topic-changes.ts";
import { createTrust } from "./membership/trust.ts";
import { createOutgoing } from "./outgoing/outgoing.ts";
import { createReady } from "./outgoing/ready.ts";
import type { PeerPorts } from "./ports.ts";
import { createPresence } from "./presence/presence.ts";
import { type Answering, answerTo, faceOf } from "./presence/self.ts";
import { createSignals } from "./presence/signals.ts";
import { findingsOf, verifyAll } from "./replica/audit.ts";
import { createHistory } from "./replica/history.ts";
import { createIncoming } from "./replica/incoming.ts";
import { prepareIndexes, rebuildIndexes, rebuildIsDue } from "./replica/indexes.ts";
import { createLabels } from "./replica/labels.ts";
import type { PutOrder } from "./replica/replica.ts";
import { createResume, lieOf } from "./replica/resume.ts";

export type Workspace = Awaited<ReturnType<typeof openWorkspace>>;

export async function openWorkspace(
  ports: PeerPorts,
  account: Account,
  membering: Membering,
  features: readonly Feature[],
  listener: (happening: Happening) => void,
  sessions: () => readonly SessionFace[],
  document: Document,
  answering: Answering,
) {
  const context = await createContext(ports, account, membering, features, listener);
  const { workspace, me, replica, keyring } = context;
  prepareIndexes(replica, features);
  if (rebuildIsDue(replica) && context.chain.known.state) {
    await rebuildIndexes(
      replica,
      features,
      context.index(),
      { from: me, dev: account.device.id },
      context.open,
      context.cells.provisional,
      chainSteps(ports, replica, workspace),
    );
  }

  const answers = createAnswers((record) => link?.sendRecords([record]));
  const membership = createMembership(ports, account, keyring, {
    context,
    answers,
    renew: () => link?.renew(),
    joined(error) {
      if (error) {
        context.trouble = error;
        link?.stop();
      }
      endJoining(context);
    },
  });
  const ready = createReady(context, membership.propose);
  const labels = createLabels(replica, () => link);
  const topics = createTopicChanges({
    context,
    answers,
    ready,
    labels,
    moved: () => outgoing.rewind(),
    head: async (label) => {
      if (!link) throw unknownThere();
      return (await link.subscribe([label])).head;
    },
    fetch: (label) => history.fill(label, "", Number.POSITIVE_INFINITY),
  });
  const approvals = createApprovals(context, () => link);
  const outgoing = createOutgoing(context, {
    transmit: (records) => link?.sendRecords(records),
    wake: () => link?.wake(),
    renew: () => link?.renew(),
    ready,
    topics,
    distrust: (why) => link?.fail(why),
  });
  const signals = createSignals(context, {
    present: () => presence.present(),
    send: (frame) => link?.send(frame),
    told: (told, from) => context.tell({ type: "told", told, from }),
    asked: answerTo(sessions, answering),
  });
  const presence = createPresence(context, {
    face: () => faceOf(context, signals.boot, sessions()),
    send: (frame) => link?.send(frame),
    pull: (after) => link?.pull(after) ?? Promise.reject(unknownThere()),
    claimed: (dev, { head, counters }) => context.heads.claimed(dev, head, counters.through),
    changed: (member, isChange, face) =>
      context.tell({ type: "peer", member, online: face !== null, face, changed: isChange }),
    hidden: () => blockedMembers(replica.db),
    untold: () => [...blockedMembers(replica.db), ...blockedAtBroker(replica)],
  });
  const resume = createResume(context, () => {
    membership.react();
    outgoing.pump();
  });
  const incoming = createIncoming(context, {
    resume,
    credit: (records, bytes) => link?.send({ type: "received", records, bytes }),
    chainChanged() {
      presence.retry();
      membership.react();
      approvals.chainChanged();
      outgoing.pump();
    },
    topicsChanged: topics.look,
    moved: () => outgoing.cursorMoved(),
    placed: presence.showCounters,
    halt: () => link?.stop(),
    failed: () =>
      link?.fail(
        new MeshError("unexpected", "Records couldn't be kept on this machine.", "See `claudemesh logs`."),
      ),
  });

  const history = createHistory(replica, () => link, {
    async verify(record, seq) {
      const { state, hashes } = context.chain.placed;
      if (!state) throw notHere();
      await context.sealer.verify(state, hashes, record, seq);
    },
    open: context.open,
    commit: incoming.takeHistory,
  });

  const linkOwner: LinkOwner = {
    greeting: () => ({
      logId: replica.logId(),
      cursor: replica.cursor(),
      last: replica.lastPlaced(),
      labels: [CHAIN, EVERYONE, me, ...labels.followed()],
      invite: context.invite && { code: context.invite.code, seed: inviteSeed(context.invite.secret) },
      isNew: !isIn(context.chain.known.state?.devices.get(account.device.id)),
    }),
    greeted(ack) {
      const lie = lieOf(context, ack);
      if (lie) {
        replica.doubt("greeting", lie.code, null, ports.clock.now());
        return link?.fail(lie);
      }
      context.greeting = ack;
      context.trouble = null;
      resume.begin(ack);
      incoming.reset();
      if (ack.standing === "founding" && !mayFound(context)) return link?.fail(unknownThere());
      if (ack.standing !== "member") return;
      outgoing.linkUp();
      presence.linkUp();
      topics.look(new Set());
    },
    pushed: incoming.push,
    heard(frame) {
      if (frame.type === "heartbeat") incoming.heartbeat(frame.through);
      else if (frame.type === "faces") presence.heard(frame);
      else if (frame.type === "signal") signals.heard(frame);
      else if (frame.type === "gone") signals.gone(frame.number);
      else if (frame.type === "requested") approvals.heard(frame);
      else if (!answers.acked(frame.id)) outgoing.acked(frame.id, frame.seq);
    },
    outdone(conflict) {
      if (!answers.outdone(conflict.id, conflict.record)) outgoing.outdone(conflict);
    },
    refused(frame) {
      if (!answers.refused(frame.id, fromErrorShape(frame))) outgoing.refused(frame);
    },
    changed(state, why) {
      if (state !== "online") {
        context.greeting = null;
        incoming.reset();
        outgoing.linkDown();
        presence.linkDown();
        signals.linkDown();
        answers.linkDown();
        if (why && isLasting(why.code)) context.trouble = why;
        // A join that can't be, a device that may never come again: trying again changes nothing.
        const isOver = context.invite ? why && isLasting(why.code) : why?.code === "device_revoked";
        if (isOver) {
          link?.stop();
          endJoining(context);
        }
      }
      context.tell({ type: "link", state });
      if (state !== "online") return;
      membership.react();
      if (context.greeting?.standing === "member") approvals.linkUp();
    },
  };
  const link: Link | null = membering.broker
    ? createLink(ports, account, workspace, membering.broker, linkOwner)
    : null;

  return {
    id: workspace,
    broker: membering.broker,
    me,
    replica,
    keyring,
    topicKeys: context.topicKeys,
    presence,
    signals,
    approvals,
    changed: context.changed,
    history,
    chain: () => context.chain.known.state,
    names: context.names,
    trust: createTrust(context, document),
    link: (): LinkState => link?.state() ?? "offline",
    trouble: () => context.trouble ?? context.heads.trouble(),
    verifyAll: () => verifyAll(context),
    /** What doesn't add up in what the broker gave us. */
    findings: () => [...findingsOf(replica, me, presence.present()), ...context.heads.findings()],
    /** Why there is no link at the moment, as far as it is known. */
    linkTrouble: () => link?.trouble() ?? null,
    /** Dials at once, where it would wait for a while. */
    wake: () => link?.wake(),
    isJoining: () => context.invite !== null,
    /** Whether it ever was one, as far as the chain is here. */
    wasMember: () => context.chain.known.state?.members.has(me) === true,
    isMember: () => {
      const { state } = context.chain.known;
      return state !== null && activeMember(state, me) !== undefined;
    },
    isClosed: () => context.closed,
    tell: context.tell,
    failed: context.failed,
    say: outgoing.say,
    put: outgoing.put,
    /** Hash of an own value as far as this replica knows; null for none. */
    ownHash: (label: string, name: string) => context.cells.heldHash(label, name, "own"),
    /** A value of my own, under a name of its own. */
    putOwn(label: string, name: string, event: MeshEvent, tombstone = false): void {
      const order = { cell: { name }, own: true, ttlMs: null, tombstone, expect: "any" } as const;
      outgoing.put(label, order, event);
    },
    /** Puts, and waits until it has its place. @throws MeshError conflict, timeout: then it stays in the outbox */
    async putAndWait(label: string, order: PutOrder, event: MeshEvent, ms: number): Promise<void> {
      await context.settled(outgoing.put(label, order, event), ms);
    },
    /** Replaces a shared value by what `make` makes of it, anew when somebody else was first. @throws MeshError timeout */
    async update(label: string, name: string, make: () => MeshEvent, ms: number): Promise<void> {
      const deadline = ports.clock.now() + ms;
      const left = () => Math.max(1, deadline - ports.clock.now());
      for (;;) {
        const hash = context.cells.heldHash(label, name);
        const expect = hash === null ? "free" : { hash };
        const order = { cell: { name }, own: false, ttlMs: null, tombstone: false, expect } as const;
        try {
          return await context.settled(outgoing.put(label, order, make()), left());
        } catch (error) {
          if (!(error instanceof MeshError) || error.code !== "conflict") throw error;
        }
        const isNewer = () => (context.cells.heldHash(label, name) === hash ? null : true);
        await context.changed.until(isNewer, left(), "the newer value");
      }
    },
    propose: membership.propose,
    rootEntries: membership.rootEntries,
    renewKey: membership.renewKey,
    /** Tells the broker whom I don't want to hear. @throws MeshError offline */
    block: (members: readonly string[]) => link?.block(members) ?? Promise.reject(unknownThere()),
    /** What a member said while they might not write is shown. */
    unbar: incoming.unbar,
    /** What the broker didn't push of what was said to me behind that sequence. @throws MeshError offline */
    refetch: (since: number) => history.refetch(me, since),
    /** The account has another seed than before: what waits for it is opened. */
    seedsChanged: incoming.keysChanged,
    start: () => link?.start(),
    async stop() {
      context.closed = true;
      context.commits.flush();
      await presence.leave();
      link?.stop();
      replica.db.close();
    },
    ...labels,
    topics: {
      create: topics.create,
      change: topics.change,
      /** Those that I am in. */
      rosters: () =>
        context.topicKeys.labels().flatMap((label) => {
          const roster = context.rosters.current(label);
          return roster && topics.isIn(label) ? [{ label, ...roster }] : [];
        }),
    },
  };
}

function endJoining(context: Context): void {
  if (!context.invite) return;
  context.invite = null;
  context.tell({ type: "joined" });
}

/** The device that made the genesis brings it to a broker that doesn't have it, whoever owns the workspace now. */
function mayFound({ replica, account }: Context): boolean {
  const [genesis] = replica.chain();
  return genesis !== undefined && decodeRecord(genesis.bytes).header.dev === account.device.id;
}

/** A refusal that the next attempt won't lift by itself. */
function isLasting(code: ErrorCode): boolean {
  return (
    code === "version_skew" ||
    code === "rolled_back" ||
    code === "not_a_member" ||
    code === "not_registered" ||
    code === "device_revoked" ||
    code.startsWith("invite_") ||
    code.startsWith("chain_")
  );
}

function notHere(): MeshError {
  return new MeshError("unknown_workspace", "The workspace isn't here yet.", "Wait for the join to finish.");
}

function unknownThere(): MeshError {
  return new MeshError(
    "unknown_workspace",
    "The broker doesn't know this workspace.",
    "Is it the right broker?",
  );
}
