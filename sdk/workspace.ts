/** One workspace of this account: its parts, wired. Features speak through `say` and read through `index`. */
import type { ChainEntry } from "#protocol/chain/entries.ts";
import { activeMember, type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { ERRORS, type ErrorCode, fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { Face } from "#protocol/features/member.ts";
import type { LinkState } from "#protocol/features/workspace.ts";
import type { HelloAck } from "#protocol/frames.ts";
import { CHAIN, createRecordIds, EVERYONE } from "#protocol/ids.ts";
import { decodeRecord, type SealedRecord } from "#protocol/record.ts";
import type { MeshEvent } from "#protocol/registry.ts";
import { type Account, sealingPair } from "./account.ts";
import { type ChainView, draftGenesis, extend, loadChain, nextPlace, signEntry } from "./chain.ts";
import { type Applied, applyEvent, type Feature, type Index } from "./feature.ts";
import { createHistory } from "./history.ts";
import { appliedFrom, prepareIndexes, rebuildIndexes, rebuildIsDue, retryWaiting } from "./indexes.ts";
import { createKeyring } from "./keyring.ts";
import { createLink, type Link, type LinkOwner } from "./link.ts";
import { createMembership, type InviteSecret } from "./membership.ts";
import { createOutbox } from "./outbox.ts";
import type { PeerPorts } from "./ports.ts";
import { createPresence } from "./presence.ts";
import { openReplica, type Replica } from "./replica.ts";
import { createSealer } from "./seal.ts";
import { createSignal } from "./signal.ts";
import { type Batch, createSync } from "./sync.ts";

/** What a workspace tells whoever listens, after it is durable. */
export type Happening =
  /** `isNew`: not said here before; false for the echo of an own record. */
  | { type: "applied"; event: MeshEvent; record: Applied; isNew: boolean }
  | { type: "acked"; id: string }
  | { type: "chain"; before: ChainState | null; state: ChainState }
  | { type: "key" }
  | { type: "link"; state: LinkState }
  | { type: "peer"; member: string; online: boolean; face: Face | null; changed: boolean };

/** What the account keeps of a workspace. */
export type Membering = { id: string; broker: string | null; invite: InviteSecret | null };

export type Workspace = Awaited<ReturnType<typeof openWorkspace>>;

/** Makes the first entries of a new workspace in its database; the broker learns of it when the link is up. */
export async function foundWorkspace(ports: PeerPorts, account: Account): Promise<string> {
  const draft = draftGenesis(ports, account);
  const { workspace } = draft;
  const sealing = await sealingPair(ports, account, workspace);
  const newId = createRecordIds(ports.clock, ports.random);
  const entries: ((chain: ChainState | null) => Promise<ChainEntry>)[] = [
    async () => draft.entry(sealing),
    (chain) => {
      if (!chain) throw new Error("the genesis comes first");
      return createKeyring(ports, workspace, account.user, sealing).newEpoch(chain);
    },
  ];
  let view: ChainView = { state: null, hashes: [], pending: [] };
  const signed: Uint8Array[] = [];
  for (const [i, entry] of entries.entries()) {
    const bytes = await signEntry(
      ports,
      account,
      workspace,
      nextPlace(view, newId(), i + 1),
      await entry(view.state),
    );
    signed.push(bytes);
    view = (await extend(ports, workspace, view, decodeRecord(bytes), i + 1)).view;
  }
  const replica = openReplica(ports.openDatabase, workspace);
  replica.db.transaction(() => {
    for (const [height, bytes] of signed.entries()) replica.putChain(height, null, bytes);
  });
  replica.db.close();
  return workspace;
}

export async function openWorkspace(
  ports: PeerPorts,
  account: Account,
  membering: Membering,
  features: readonly Feature[],
  listener: (happening: Happening) => void,
) {
  const workspace = membering.id;
  const me = account.user;
  const replica: Replica = openReplica(ports.openDatabase, workspace);
  const changed = createSignal(ports.timers);
  const newId = createRecordIds(ports.clock, ports.random);
  const sealing = await sealingPair(ports, account, workspace);
  const keyring = createKeyring(ports, workspace, me, sealing);
  const sealer = createSealer(ports, account, workspace, keyring);
  let view = await loadChain(ports, replica, workspace);
  let greeting: HelloAck | null = null;
  let invite = membering.invite;
  /** Why the workspace can't be used to the full: shown, and cleared when it passes. */
  let trouble: MeshError | null = null;
  let closed = false;
  /** How far this link's records are applied; as a member, that is the cursor. */
  let position = 0;
  /** Chain height that somebody has shown us; nothing is sealed before it is verified. */
  let blockedEpoch = -1;
  const sealedUnder = new Map<string, number>();

  const tell = (happening: Happening) => {
    listener(happening);
    changed.notify();
  };
  const onError = (error: unknown) =>
    ports.log.error({ workspace, error: String(error) }, "a workspace's work failed");
  const index = (): Index => {
    if (!view.state)
      throw new MeshError(
        "unknown_workspace",
        "The workspace has no members yet.",
        "Wait for the join to finish.",
      );
    return { db: replica.db, me, chain: view.state };
  };

  const open = async (record: SealedRecord) => {
    const opened = view.state && (await sealer.open(view.state, record));
    if (!opened) return { status: "sealed" as const, event: null };
    return opened.known
      ? { status: "applied" as const, event: opened.event }
      : { status: "unknown" as const, event: null };
  };

  const commit = async (batch: Batch) => {
    const before = view.state;
    const fresh: { event: MeshEvent; record: Applied; isNew: boolean }[] = [];
    replica.db.transaction(() => {
      for (const { seq, at, record, height, status, event } of batch.taken) {
        if (height !== null) replica.putChain(height, seq, record.bytes);
        else {
          const { id, from: sender, to: label } = record.header;
          if (!replica.putRecord({ seq, at, status, bytes: record.bytes, sender, id, label })) continue;
          const isNew = !(sender === me && replica.dequeue(id));
          const applied = appliedFrom(record, { seq, at });
          if (event && batch.view.state) {
            applyEvent(features, { db: replica.db, me, chain: batch.view.state }, event, applied);
            fresh.push({ event, record: applied, isNew });
          }
        }
      }
      for (const { seq, at, error } of batch.refused) replica.refuse(seq, error.code, at);
      // Before the join only the chain was pushed: the cursor would pass over everything else.
      if (batch.through > position && greeting?.standing === "member") replica.setCursor(batch.through);
    });
    for (const { seq, error } of batch.refused)
      ports.log.warn({ workspace, seq, code: error.code }, "a record was refused");
    position = Math.max(position, batch.through);
    const isExtended = batch.view !== view;
    view = batch.view;
    for (const one of fresh) tell({ type: "applied", ...one });
    if (isExtended && view.state) await afterChain(before, view.state);
  };

  const afterChain = async (before: ChainState | null, state: ChainState) => {
    if (await keyring.learn(state)) {
      for (const one of await retryWaiting(replica, features, index(), open))
        tell({ type: "applied", ...one, isNew: true });
      tell({ type: "key" });
    }
    presence.retry();
    tell({ type: "chain", before, state });
    membership.react();
    outbox.pump();
  };

  const sync = createSync(
    {
      view: () => view,
      cursor: () => position,
      extend: (from, record, seq) => extend(ports, workspace, from, record, seq),
      verify: (from, record, seq) => {
        if (!from.state)
          throw new MeshError(
            "chain_invalid",
            "A record came before the genesis.",
            "Don't trust this broker.",
          );
        return sealer.verify(from.state, from.hashes, record, seq);
      },
      open: async (from, record) => {
        const opened = from.state && (await sealer.open(from.state, record));
        if (!opened) return { status: "sealed", event: null };
        return opened.known ? { status: "applied", event: opened.event } : { status: "unknown", event: null };
      },
      commit,
      credit: (records, bytes) => link?.send({ type: "received", records, bytes }),
      distrust: (error) => {
        trouble = error;
        ports.log.error(
          { workspace, code: error.code },
          "the broker's chain can't be believed; the workspace is halted",
        );
        link?.stop();
        tell({ type: "link", state: "offline" });
      },
    },
    onError,
  );

  /** Sealing needs: a link as a member, a verified chain, a fresh epoch, its key. Sets in motion what is missing. */
  const ready = (): boolean => {
    const { state } = view;
    const epoch = state && currentEpoch(state);
    if (!greeting || greeting.standing !== "member" || trouble || !epoch || view.pending.length > 0)
      return false;
    if (state.head.height < (greeting.chain?.height ?? 0) || !keyring.workspaceKey(epoch.number))
      return false;
    if (state.stale) {
      const begin = (now: ChainState) => (now.stale ? keyring.newEpoch(now) : Promise.resolve(null));
      membership.propose(begin, 30_000).catch(onError);
      return false;
    }
    return epoch.number > blockedEpoch;
  };

  const outbox = createOutbox(
    replica,
    {
      ready,
      seal: async (row) => {
        if (!view.state) throw new MeshError("waiting_for_key", "The chain isn't here yet.");
        sealedUnder.set(row.id, currentEpoch(view.state)?.number ?? 0);
        return sealer.seal(view.state, row);
      },
      transmit: (records) => link?.sendRecords(records),
      refuse: (row, why) => refuse(row.id, why),
    },
    ports.log,
  );

  /** Refused for good: an empty record takes its number, so that receivers don't see one withheld. */
  const refuse = (id: string, why: MeshError) => {
    const row = replica.outboxRow(id);
    if (!row) return;
    ports.log.warn({ workspace, id, code: why.code }, "the broker refused a record for good");
    replica.db.transaction(() => {
      if (row.event.kind === "void") replica.dequeue(id);
      else replica.replaceOutbox(id, newId(), { kind: "void" });
      const refusal: MeshEvent = {
        kind: "receipt",
        states: [{ id, state: "refused", at: Math.floor(ports.clock.now()), detail: why.message }],
      };
      applyEvent(features, index(), refusal, {
        id,
        from: row.label,
        dev: account.device.id,
        label: me,
        seq: null,
        at: null,
      });
    });
    outbox.rewind();
    changed.notify();
  };

  const presence = createPresence(ports, account, workspace, keyring, {
    chain: () => view.state,
    send: (frame) => link?.send(frame),
    changed: (member, isChange, face) => {
      rememberSessions(replica, member, face, ports.clock.now());
      tell({ type: "peer", member, online: face !== null, face, changed: isChange });
    },
  });

  const linkOwner: LinkOwner = {
    greeting: () => ({
      logId: replica.logId(),
      cursor: replica.cursor(),
      labels: labels(),
      invite: invite && { code: invite.code, seed: inviteSeed(invite.secret) },
    }),
    greeted(ack) {
      greeting = ack;
      trouble = null;
      sealedUnder.clear();
      if (replica.logId() !== ack.logId) {
        replica.db.transaction(() => {
          replica.setMeta("logId", ack.logId);
          replica.setCursor(0);
        });
      }
      position = ack.standing === "member" ? replica.cursor() : 0;
      if (ack.standing === "founding" && view.pending.length === 0) {
        trouble = new MeshError(
          "unknown_workspace",
          "The broker doesn't know this workspace.",
          "Is it the right broker? Ask whoever runs it.",
        );
      }
      if (ack.standing !== "member") return;
      outbox.linkUp();
      presence.linkUp();
    },
    pushed: sync.push,
    heard(frame) {
      if (frame.type === "heartbeat") sync.heartbeat(frame.through);
      else if (frame.type === "presence") presence.heard(frame).catch(onError);
      else if (frame.type === "absent") presence.absent(frame.dev, frame.lastSeen);
      else if (!membership.acked(frame.id)) {
        sealedUnder.delete(frame.id);
        outbox.acked(frame.id);
        tell({ type: "acked", id: frame.id });
      }
    },
    refused(frame) {
      const error = fromErrorShape(frame);
      if (membership.refused(frame.id, error)) return;
      if (!ERRORS[error.code].retry) return refuse(frame.id, error);
      if (error.code === "stale_epoch")
        blockedEpoch = Math.max(blockedEpoch, sealedUnder.get(frame.id) ?? -1);
      if (error.code === "stale_epoch") outbox.rewind();
      else ports.timers.after(frame.retryAfterMs ?? 1000, outbox.rewind);
    },
    changed(state, why) {
      if (state !== "online") {
        greeting = null;
        sync.reset();
        outbox.linkDown();
        presence.linkDown();
        membership.linkDown();
        if (why && isLasting(why.code)) trouble = why;
        if (why && invite && why.code.startsWith("invite_")) joined(why);
      }
      tell({ type: "link", state });
      if (state === "online") membership.react();
    },
  };
  const link: Link | null = membering.broker
    ? createLink(ports, account, workspace, membering.broker, linkOwner)
    : null;

  const joined = (error: MeshError | null) => {
    if (!error) invite = null;
    else {
      trouble = error;
      link?.stop();
    }
    changed.notify();
  };

  const membership = createMembership(ports, account, sealing, keyring, {
    workspace,
    view: () => view,
    greeting: () => greeting,
    invite: () => invite,
    transmit: (record) => link?.sendRecords([record]),
    newId,
    nextNumber: () =>
      1 + replica.chain().filter(({ bytes }) => decodeRecord(bytes).header.dev === account.device.id).length,
    renew: () => link?.renew(),
    joined,
    changed,
  });

  const labels = (): string[] => [
    CHAIN,
    EVERYONE,
    me,
    ...replica.db
      .sql("SELECT label FROM labels WHERE joined = 1")
      .all()
      .map((row) => String(row.label)),
  ];

  if (view.state) await keyring.learn(view.state);
  prepareIndexes(replica, features);
  if (rebuildIsDue(replica) && view.state) {
    await rebuildIndexes(replica, features, index(), { from: me, dev: account.device.id }, open);
  }

  return {
    id: workspace,
    broker: membering.broker,
    me,
    replica,
    keyring,
    presence,
    changed,
    history: createHistory(replica, () => link, {
      verify: (record, seq) =>
        view.state
          ? sealer.verify(view.state, view.hashes, record, seq)
          : Promise.reject(new Error("no chain")),
      open,
      commit: (taken) => commit({ view, taken, refused: [], through: 0 }),
    }),
    index,
    chain: () => view.state,
    link: (): LinkState => link?.state() ?? "offline",
    trouble: () => trouble,
    isJoining: () => invite !== null,
    isMember: () => view.state !== null && activeMember(view.state, me) !== undefined,
    propose: membership.propose,
    start: () => link?.start(),
    isClosed: () => closed,
    async stop() {
      closed = true;
      await presence.leave();
      link?.stop();
      replica.db.close();
    },
    /** Into the outbox and the own indexes, in one commit. The same id again changes nothing. */
    say(label: string, event: MeshEvent, id = newId(), also = () => {}): string {
      const isKnown =
        replica.outboxRow(id) !== null ||
        replica.db.sql("SELECT 1 FROM records WHERE sender = ? AND id = ?").get(me, id) !== undefined;
      if (isKnown) return id;
      const record = { id, from: me, dev: account.device.id, label, seq: null, at: null };
      replica.db.transaction(() => {
        replica.enqueue(id, label, event, Math.floor(ports.clock.now()));
        applyEvent(features, index(), event, record);
        also();
      });
      outbox.pump();
      link?.wake();
      tell({ type: "applied", event, record, isNew: true });
      return id;
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
      const { head } = await link.subscribe([label]);
      replica.db.sql("UPDATE labels SET since = ? WHERE label = ?").run(head, label);
    },
    unfollow(label: string): void {
      replica.db.sql("UPDATE labels SET joined = 0 WHERE label = ?").run(label);
      if (link?.state() === "online") link.send({ type: "unsubscribe", labels: [label] });
    },
  };
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

function rememberSessions(replica: Replica, member: string, face: Face | null, now: number): void {
  for (const { name } of face?.sessions ?? []) {
    replica.db
      .sql(
        "INSERT INTO sessions_seen (member, name, seen_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
      )
      .run(member, name, Math.floor(now));
  }
}
