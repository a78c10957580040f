/** One workspace of this account, open: its parts, wired. Features speak through `say` and read through `replica`. */
import { activeMember } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { type ErrorCode, fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { LinkState } from "#protocol/features/workspace.ts";
import { CHAIN, EVERYONE } from "#protocol/ids.ts";
import type { Account } from "./account.ts";
import { type Context, createContext, type Happening, type Membering } from "./context.ts";
import type { Feature } from "./feature.ts";
import { createHistory } from "./history.ts";
import { createIncoming } from "./incoming.ts";
import { prepareIndexes, rebuildIndexes, rebuildIsDue } from "./indexes.ts";
import { createLink, type Link, type LinkOwner } from "./link.ts";
import { createMembership } from "./membership.ts";
import { createOutgoing } from "./outgoing.ts";
import type { PeerPorts } from "./ports.ts";
import { createPresence } from "./presence.ts";

export type Workspace = Awaited<ReturnType<typeof openWorkspace>>;

export async function openWorkspace(
  ports: PeerPorts,
  account: Account,
  membering: Membering,
  features: readonly Feature[],
  listener: (happening: Happening) => void,
) {
  const context = await createContext(ports, account, membering, features, listener);
  const { workspace, me, replica, keyring } = context;
  prepareIndexes(replica, features);
  if (rebuildIsDue(replica) && context.view.state) {
    await rebuildIndexes(
      replica,
      features,
      context.index(),
      { from: me, dev: account.device.id },
      context.open,
    );
  }

  const membership = createMembership(ports, account, keyring, {
    context,
    transmit: (record) => link?.sendRecords([record]),
    renew: () => link?.renew(),
    joined(error) {
      if (error) {
        context.trouble = error;
        link?.stop();
      } else context.invite = null;
      context.changed.notify();
    },
  });
  const outgoing = createOutgoing(context, {
    transmit: (records) => link?.sendRecords(records),
    wake: () => link?.wake(),
    propose: membership.propose,
  });
  const presence = createPresence(ports, account, workspace, keyring, {
    chain: () => context.view.state,
    send: (frame) => link?.send(frame),
    changed(member, isChange, face) {
      rememberSessions(context, member, face?.sessions ?? []);
      context.tell({ type: "peer", member, online: face !== null, face, changed: isChange });
    },
  });
  const incoming = createIncoming(context, {
    credit: (records, bytes) => link?.send({ type: "received", records, bytes }),
    chainChanged() {
      presence.retry();
      membership.react();
      outgoing.pump();
    },
    halt: () => link?.stop(),
    failed: () =>
      link?.fail(
        new MeshError("unexpected", "Records couldn't be kept on this machine.", "See `claudemesh logs`."),
      ),
  });

  const linkOwner: LinkOwner = {
    greeting: () => ({
      logId: replica.logId(),
      cursor: replica.cursor(),
      labels: [CHAIN, EVERYONE, me, ...followed(context)],
      invite: context.invite && { code: context.invite.code, seed: inviteSeed(context.invite.secret) },
    }),
    greeted(ack) {
      context.greeting = ack;
      context.trouble = null;
      if (replica.logId() !== ack.logId) {
        replica.db.transaction(() => {
          replica.setMeta("logId", ack.logId);
          replica.setCursor(0);
        });
      }
      incoming.reset();
      if (ack.standing === "founding" && context.view.pending.length === 0) context.trouble = unknownThere();
      if (ack.standing !== "member") return;
      outgoing.linkUp();
      presence.linkUp();
    },
    pushed: incoming.push,
    heard(frame) {
      if (frame.type === "heartbeat") incoming.heartbeat(frame.through);
      else if (frame.type === "presence") presence.heard(frame).catch(context.failed);
      else if (frame.type === "absent") presence.absent(frame.dev, frame.lastSeen);
      else if (!membership.acked(frame.id)) outgoing.acked(frame.id);
    },
    refused(frame) {
      if (!membership.refused(frame.id, fromErrorShape(frame))) outgoing.refused(frame);
    },
    changed(state, why) {
      if (state !== "online") {
        context.greeting = null;
        incoming.reset();
        outgoing.linkDown();
        presence.linkDown();
        membership.linkDown();
        if (why && isLasting(why.code)) context.trouble = why;
        // A join that can't be: trying again changes nothing.
        if (why && context.invite && isLasting(why.code)) link?.stop();
      }
      context.tell({ type: "link", state });
      if (state === "online") membership.react();
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
    presence,
    changed: context.changed,
    history: createHistory(replica, () => link, {
      async verify(record, seq) {
        const { state, hashes } = context.view;
        if (!state)
          throw new MeshError(
            "unknown_workspace",
            "The workspace isn't here yet.",
            "Wait for the join to finish.",
          );
        await context.sealer.verify(state, hashes, record, seq);
      },
      open: context.open,
      commit: incoming.takeHistory,
    }),
    chain: () => context.view.state,
    link: (): LinkState => link?.state() ?? "offline",
    trouble: () => context.trouble,
    /** Why there is no link at the moment, as far as it is known. */
    linkTrouble: () => link?.trouble() ?? null,
    isJoining: () => context.invite !== null,
    isMember: () => context.view.state !== null && activeMember(context.view.state, me) !== undefined,
    isClosed: () => context.closed,
    say: outgoing.say,
    propose: membership.propose,
    start: () => link?.start(),
    async stop() {
      context.closed = true;
      await presence.leave();
      link?.stop();
      replica.db.close();
    },
    /** Wants the records of a label from now on; earlier ones come by `history`. */
    async follow(label: string, name: string): Promise<void> {
      replica.db
        .sql(
          `INSERT INTO labels (label, name, since, complete, joined) VALUES (?1, ?2, ?3, 0, 1)
           ON CONFLICT DO UPDATE SET since = ?3, complete = 0, joined = 1`,
        )
        .run(label, name, replica.cursor());
      if (link?.state() !== "online") return;
      // What came between the cursor and the broker's head was not pushed under this label: it is history.
      const { head } = await link.subscribe([label]).catch(subscribedByTheNextHello);
      replica.db.sql("UPDATE labels SET since = max(since, ?) WHERE label = ?").run(head, label);
    },
    unfollow(label: string): void {
      replica.db.sql("UPDATE labels SET joined = 0 WHERE label = ?").run(label);
      if (link?.state() === "online") link.send({ type: "unsubscribe", labels: [label] });
    },
  };
}

function followed({ replica }: Context): string[] {
  return replica.db
    .sql("SELECT label FROM labels WHERE joined = 1")
    .all()
    .map((row) => String(row.label));
}

/** A name seen once is an address for good: a message waits while nobody holds it. */
function rememberSessions(
  { replica, ports }: Context,
  member: string,
  sessions: readonly { name: string }[],
): void {
  const seen = replica.db.sql(
    "INSERT INTO sessions_seen (member, name, seen_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
  );
  for (const { name } of sessions) seen.run(member, name, Math.floor(ports.clock.now()));
}

/** The link broke meanwhile: the next hello names the label, and the cursor says from where. */
function subscribedByTheNextHello(error: unknown): { head: number } {
  if (error instanceof MeshError && error.code === "offline") return { head: 0 };
  throw error;
}

/** A refusal that the next attempt won't lift by itself. */
function isLasting(code: ErrorCode): boolean {
  return (
    code === "version_skew" ||
    code === "not_a_member" ||
    code.startsWith("invite_") ||
    code.startsWith("chain_")
  );
}

function unknownThere(): MeshError {
  return new MeshError(
    "unknown_workspace",
    "The broker doesn't know this workspace.",
    "Is it the right broker?",
  );
}
