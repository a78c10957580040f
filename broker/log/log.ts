/**
 * The ordered logs. Records that arrive in one turn of the event loop are judged in order and share one commit;
 * acknowledgements and news follow the commit, never precede it.
 */

import { toBase64url } from "#protocol/bytes.ts";
import { admit } from "#protocol/chain/admit.ts";
import { decodeEntry } from "#protocol/chain/entries.ts";
import type { ChainState } from "#protocol/chain/state.ts";
import { ERRORS, MeshError } from "#protocol/errors.ts";
import { CHAIN } from "#protocol/ids.ts";
import {
  decodeRecord,
  generationOf,
  type Header,
  isGuard,
  recordHash,
  type SealedRecord,
} from "#protocol/record.ts";
import type { Committed } from "../bus.ts";
import type { BrokerPorts } from "../ports.ts";
import type { Cell, CellName, CellValue, Commit, NewRecord, Place } from "../store/store.ts";
import type { Blocks } from "./blocks.ts";
import { type Author, type Guards, isLive, judge, standsAside, type Tip } from "./judge.ts";

const MAX_BATCH_RECORDS = 50;
const MAX_BATCH_BYTES = 512 * 1024;

/** One workspace's log in memory; the log alone writes it. */
export type WorkspaceLog = {
  readonly id: string;
  readonly logId: string;
  head: number;
  /** Appends up to here are gone. */
  floor: number;
  chain: ChainState | null;
  guards: Guards;
  blocks: Blocks;
  /** Records not settled yet. */
  pending: number;
};

export type Outcome =
  | { type: "stored"; place: Place }
  | { type: "refused"; error: MeshError }
  /** A put refused because of this value; `live`: it hasn't expired and is no tombstone. */
  | { type: "conflict"; cell: Cell; live: boolean }
  | { type: "dropped" };

type Waiting = {
  log: WorkspaceLog;
  author: Author;
  record: SealedRecord;
  refusal: MeshError | null;
  settle(outcome: Outcome): void;
};

export type Log = {
  /** The log of a workspace, until `release`; an unknown one is empty until its genesis is appended. */
  open(workspace: string): Promise<WorkspaceLog>;
  /**
   * `settle` is called once, after the commit and before anybody hears the news of it. With a `refusal` the record is
   * refused so, but in its turn: what came before it isn't held back by it.
   */
  append(
    log: WorkspaceLog,
    author: Author,
    record: SealedRecord,
    settle: (outcome: Outcome) => void,
    refusal?: MeshError | null,
  ): void;
  /** These, and no others, are whom the member doesn't want to hear. @throws MeshError storage_full */
  block(log: WorkspaceLog, member: string, blocked: readonly string[]): Promise<void>;
  /** Retention has taken appends away. */
  raiseFloor(workspace: string, floor: number): Promise<void>;
  /** Once for each `open`. A workspace that nobody founded is forgotten with its last holder. */
  release(log: WorkspaceLog): void;
};

export function createLog(ports: BrokerPorts): Log {
  const logs = new Map<string, { opening: Promise<WorkspaceLog>; holders: number }>();
  const queue: Waiting[] = [];
  let running = false;
  let lastAt = 0;

  /** Never backwards, so that times sort like sequences. */
  const commitTime = () => {
    lastAt = Math.max(lastAt, Math.floor(ports.clock.now()));
    return lastAt;
  };

  const run = async () => {
    try {
      while (queue.length > 0) await commitBatch(ports, takeBatch(queue), commitTime());
    } catch (error) {
      ports.fatal(error);
    } finally {
      running = false;
    }
  };

  return {
    async open(workspace) {
      const entry = logs.get(workspace) ?? { opening: load(ports, workspace), holders: 0 };
      logs.set(workspace, entry);
      entry.holders++;
      try {
        return await entry.opening;
      } catch (error) {
        logs.delete(workspace);
        throw error;
      }
    },
    append(log, author, record, settle, refusal = null) {
      log.pending++;
      queue.push({
        log,
        author,
        record,
        refusal,
        settle(outcome) {
          log.pending--;
          settle(outcome);
        },
      });
      if (running) return;
      running = true;
      ports.timers.soon(run);
    },
    async block(log, member, blocked) {
      const before = log.blocks.get(member);
      const own = new Map(blocked.map((other) => [other, before?.get(other) ?? log.head]));
      await ports.store.putBlocks(
        log.id,
        member,
        [...own].map(([other, since]) => ({ blocked: other, since })),
      );
      const blocks = new Map(log.blocks);
      if (own.size > 0) blocks.set(member, own);
      else blocks.delete(member);
      log.blocks = blocks;
    },
    async raiseFloor(workspace, floor) {
      const log = await logs.get(workspace)?.opening;
      if (log) log.floor = floor;
    },
    release(log) {
      const entry = logs.get(log.id);
      if (entry && --entry.holders === 0 && log.head === 0 && log.pending === 0) logs.delete(log.id);
    },
  };
}

async function load(ports: BrokerPorts, id: string): Promise<WorkspaceLog> {
  const known = await ports.store.workspace(id);
  if (!known)
    return {
      id,
      logId: toBase64url(ports.random(16)),
      head: 0,
      floor: 0,
      chain: null,
      guards: new Map(),
      blocks: new Map(),
      pending: 0,
    };
  let chain: ChainState | null = null;
  // Its signatures were verified before it was committed, and after a restart everybody waits for this.
  const curves = { ...ports.curves, verify: async () => true };
  for (const { seq, bytes } of await ports.store.chain(id)) {
    chain = await admit(curves, id, chain, decodeRecord(bytes), seq);
  }
  const guards = new Map(await guardsOf(ports, id));
  return { id, ...known, chain, guards, blocks: await blocksOf(ports, id), pending: 0 };
}

async function blocksOf({ store }: BrokerPorts, workspace: string): Promise<Blocks> {
  const blocks = new Map<string, Map<string, number>>();
  for (const { member, blocked, since } of await store.blocks(workspace)) {
    const own = blocks.get(member) ?? new Map();
    blocks.set(member, own.set(blocked, since));
  }
  return blocks;
}

async function guardsOf({ store }: BrokerPorts, workspace: string): Promise<(readonly [string, number])[]> {
  const guards = await store.guards(workspace);
  return guards.map(({ bytes }) => {
    const { header } = decodeRecord(bytes);
    return [header.to, generationOf(header) ?? 0] as const;
  });
}

/** Asked for a label's first guard alone, so that no other record waits for the answer. */
async function isFresh(
  { store }: BrokerPorts,
  tip: Tip,
  batch: readonly Committed[],
  { header }: SealedRecord,
): Promise<boolean> {
  if (!isGuard(header) || tip.guards.has(header.to)) return false;
  if (batch.some((one) => one.header.to === header.to)) return false;
  const [any] = await store.history(tip.workspace, header.to, Number.MAX_SAFE_INTEGER, 1);
  return any === undefined;
}

function takeBatch(queue: Waiting[]): Waiting[] {
  let count = 0;
  let size = 0;
  for (const { record } of queue) {
    if (count > 0 && (count === MAX_BATCH_RECORDS || size + record.bytes.length > MAX_BATCH_BYTES)) break;
    count++;
    size += record.bytes.length;
  }
  return queue.splice(0, count);
}

async function commitBatch(ports: BrokerPorts, batch: readonly Waiting[], at: number): Promise<void> {
  const places = await ports.store.places(
    batch.map(({ log, record }) => ({ workspace: log.id, sender: record.header.from, id: record.header.id })),
  );
  const cells = await cellsOf(ports, batch);
  const fresh = new Map<WorkspaceLog, { tip: Tip; records: Committed[] }>();
  const firstPlaces = new Map<string, Place>();
  const codes = new Set<string>();
  const outcomes: Outcome[] = [];

  for (const [i, { log, author, record, refusal }] of batch.entries()) {
    const { header, bytes } = record;
    const identity = `${log.id}/${header.from}/${header.id}`;
    const known = places[i] ?? firstPlaces.get(identity);
    if (isHeldBack(author, record)) {
      outcomes.push({ type: "dropped" });
    } else if (refusal) {
      outcomes.push(settled(author, record, { type: "refused", error: refusal }));
    } else if (known && (header.from === author.member || header.to === CHAIN)) {
      outcomes.push(settled(author, record, { type: "stored", place: known }));
    } else {
      try {
        const before = fresh.get(log) ?? {
          tip: { workspace: log.id, head: log.head, chain: log.chain, guards: log.guards },
          records: [],
        };
        const name = cellName(log, record);
        const cell = (name && cells.get(textOf(name))) ?? null;
        const free = await isFresh(ports, before.tip, before.records, record);
        const tip = await judge(ports.curves, before.tip, author, record, { cell, isFresh: free }, at);
        await claimCode(ports, codes, record);
        const place = { seq: tip.head, at };
        if (name) cells.set(textOf(name), { ...place, bytes, ...cellValue(record, at) });
        before.records.push({ ...place, header, bytes });
        fresh.set(log, { tip, records: before.records });
        firstPlaces.set(identity, place);
        outcomes.push(settled(author, record, { type: "stored", place }));
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        outcomes.push(settled(author, record, outcomeOf(error, cells, cellName(log, record), at)));
      }
    }
  }

  try {
    if (fresh.size > 0) await ports.store.commit(commitOf(fresh));
  } catch (error) {
    // Anything but a lack of room leaves open what is on the disk.
    if (!(error instanceof MeshError) || error.code !== "storage_full") throw error;
    for (const { author, record, settle } of batch) {
      settle(
        isHeldBack(author, record)
          ? { type: "dropped" }
          : settled(author, record, { type: "refused", error }),
      );
    }
    return;
  }
  for (const [log, { tip }] of fresh) {
    Object.assign(log, { head: tip.head, chain: tip.chain, guards: tip.guards });
  }
  for (const [i, { settle }] of batch.entries()) settle(outcomes[i] ?? { type: "dropped" });
  for (const [log, { records }] of fresh) ports.bus.publish(log.id, { type: "committed", records });
}

/** What the batch's puts would replace, by cell; moved on as they are judged. */
async function cellsOf({ store }: BrokerPorts, batch: readonly Waiting[]): Promise<Map<string, Cell>> {
  const names = batch.map(({ log, record }) => cellName(log, record)).filter((name) => name !== null);
  const cells = new Map<string, Cell>();
  if (names.length === 0) return cells;
  const found = await store.cells(names);
  for (const [i, name] of names.entries()) {
    const cell = found[i];
    if (cell) cells.set(textOf(name), cell);
  }
  return cells;
}

function cellName({ id: workspace }: WorkspaceLog, { header }: SealedRecord): CellName | null {
  const { put, to: label, from } = header;
  return put ? { workspace, label, key: put.key, owner: put.own ? from : "" } : null;
}

function textOf({ workspace, label, key, owner }: CellName): string {
  return `${workspace}/${label}/${key}/${owner}`;
}

function cellValue({ header, bytes }: { header: Header; bytes: Uint8Array }, at: number): CellValue {
  const { version = 0, ttl = null, tombstone = false } = header.put ?? {};
  return { version, hash: recordHash(bytes), expiresAt: ttl === null ? null : at + ttl, tombstone };
}

function outcomeOf(
  error: MeshError,
  cells: ReadonlyMap<string, Cell>,
  name: CellName | null,
  now: number,
): Outcome {
  const cell = name && error.code === "conflict" ? cells.get(textOf(name)) : undefined;
  return cell ? { type: "conflict", cell, live: isLive(cell, now) } : { type: "refused", error };
}

function isHeldBack(author: Author, { header }: SealedRecord): boolean {
  return !standsAside(header) && author.halted !== null && author.halted !== header.id;
}

/** A retryable refusal halts the connection's order until the same record returns. */
function settled(author: Author, { header }: SealedRecord, outcome: Outcome): Outcome {
  if (!standsAside(header)) {
    author.halted = outcome.type === "refused" && ERRORS[outcome.error.code].retry ? header.id : null;
  }
  return outcome;
}

/** Invite codes are looked up without a workspace, so they are unique across all of a broker's. */
async function claimCode(ports: BrokerPorts, batch: Set<string>, record: SealedRecord): Promise<void> {
  const code = inviteCodeOf(record.header.to, record.body);
  if (!code) return;
  if (batch.has(code) || (await ports.store.inviteWorkspace(code)) !== null) {
    throw new MeshError("conflict", `The invite code ${code} is taken.`, "Create another invite.");
  }
  batch.add(code);
}

function inviteCodeOf(label: string, body: Uint8Array): string | null {
  if (label !== CHAIN) return null;
  const entry = decodeEntry(body);
  return entry.type === "invite" ? entry.code : null;
}

function commitOf(fresh: ReadonlyMap<WorkspaceLog, { records: readonly Committed[] }>): Commit {
  const records: NewRecord[] = [];
  const workspaces: { id: string; logId: string }[] = [];
  const invites: { code: string; workspace: string }[] = [];
  for (const [{ id: workspace, logId }, { records: committed }] of fresh) {
    for (const { seq, at, header, bytes } of committed) {
      const { from: sender, id, to: label, put } = header;
      const cell = put
        ? { key: put.key, owner: put.own ? sender : "", ...cellValue({ header, bytes }, at) }
        : null;
      records.push({ workspace, seq, at, sender, id, label, bytes, cell });
      if (seq === 1) workspaces.push({ id: workspace, logId });
      const code = inviteCodeOf(header.to, decodeRecord(bytes).body);
      if (code) invites.push({ code, workspace });
    }
  }
  return { workspaces, records, invites };
}
