/** The connections of one workspace, and who of them gets what. */
import { deviceRevoked } from "#protocol/chain/certificates.ts";
import { isInAt } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { encodeFrame, encodeRecordFrame, type Faces, type Requested, type Signal } from "#protocol/frames.ts";
import type { Committed, News } from "../bus.ts";
import { isBlocked, isHeldBack, withoutBlocked } from "../log/blocks.ts";
import type { WorkspaceLog } from "../log/log.ts";
import type { Feeder } from "./feeder.ts";

export type Occupant = {
  member: string;
  dev: string;
  /** False for who isn't in yet: it is told nothing of who is there. */
  hearsOthers: boolean;
  labels: Set<string>;
  feeder: Feeder;
  sendText(text: string): void;
  /** Ends the connection: its device has too many newer ones. */
  supersede(): void;
  /** Ends the connection of a device that no longer belongs. */
  expel(why: MeshError): void;
};

export type Room = {
  readonly log: WorkspaceLog;
  enter(occupant: Occupant): void;
  leave(occupant: Occupant): void;
  subscribe(occupant: Occupant, labels: readonly string[]): void;
  unsubscribe(occupant: Occupant, labels: readonly string[]): void;
  heartbeat(): void;
  hear(news: News): void;
  /** Hands a signal on; false when nobody is there for it. */
  signal(frame: Signal): boolean;
  size(): number;
  lagging(): number;
};

/** Of more than `connectionsPerDevice` the oldest goes: a device that comes back half-dead must not be locked out. */
export function createRoom(log: WorkspaceLog, connectionsPerDevice: number): Room {
  const occupants = new Set<Occupant>();
  const byLabel = new Map<string, Set<Occupant>>();
  const byMember = new Map<string, Set<Occupant>>();
  const byDevice = new Map<string, Set<Occupant>>();

  const receivers = (record: Committed) => {
    const { header } = record;
    const found = new Set(byLabel.get(header.to));
    for (const own of byMember.get(header.from) ?? []) found.add(own);
    if (log.blocks.size === 0) return found;
    return new Set([...found].filter(({ member }) => !isHeldBack(log, member, record)));
  };

  /** One frame a record, shared by all who get it; one write a connection. */
  const deliver = (records: readonly Committed[]) => {
    const outgoing = new Map<Occupant, { seq: number; frame: Uint8Array }[]>();
    for (const record of records) {
      const found = receivers(record);
      if (found.size === 0) continue;
      const { seq, at, bytes } = record;
      const frame = encodeRecordFrame({ type: "push", seq, at, through: seq }, bytes);
      for (const occupant of found) {
        const frames = outgoing.get(occupant);
        if (frames) frames.push({ seq, frame });
        else outgoing.set(occupant, [{ seq, frame }]);
      }
    }
    for (const [occupant, frames] of outgoing) occupant.feeder.offer(frames);
  };

  const expelTheDeparted = () => {
    for (const occupant of occupants) {
      const device = log.chain?.devices.get(occupant.dev);
      if (!device || !isInAt(device, log.head + 1))
        occupant.expel(device?.revoked ? deviceRevoked() : departed());
    }
  };

  const tell = (frame: Faces) => {
    const text = encodeFrame(frame);
    const textFor = (member: string) =>
      log.blocks.has(member) ? encodeFrame(withoutBlocked(log, member, frame)) : text;
    for (const occupant of occupants) if (occupant.hearsOthers) occupant.sendText(textFor(occupant.member));
  };

  const tellMembers = (members: readonly string[], frame: Requested) => {
    const text = encodeFrame(frame);
    for (const member of members)
      for (const occupant of byMember.get(member) ?? []) if (occupant.hearsOthers) occupant.sendText(text);
  };

  return {
    log,
    enter(occupant) {
      occupants.add(occupant);
      add(byMember, occupant.member, occupant);
      add(byDevice, occupant.dev, occupant);
      const [oldest, ...newer] = byDevice.get(occupant.dev) ?? [];
      if (oldest && newer.length >= connectionsPerDevice) {
        remove(byDevice, oldest.dev, oldest);
        oldest.supersede();
      }
      for (const label of occupant.labels) add(byLabel, label, occupant);
    },
    leave(occupant) {
      occupants.delete(occupant);
      remove(byMember, occupant.member, occupant);
      remove(byDevice, occupant.dev, occupant);
      for (const label of occupant.labels) remove(byLabel, label, occupant);
    },
    subscribe(occupant, labels) {
      for (const label of labels) {
        occupant.labels.add(label);
        add(byLabel, label, occupant);
      }
    },
    unsubscribe(occupant, labels) {
      for (const label of labels) {
        occupant.labels.delete(label);
        remove(byLabel, label, occupant);
      }
    },
    heartbeat() {
      for (const occupant of occupants) occupant.feeder.heartbeat();
    },
    hear(news) {
      if (news.type === "faces") return tell(news.frame);
      if (news.type === "requested") return tellMembers(news.members, news.frame);
      deliver(news.records);
      if (news.records.some(({ header }) => header.to === "chain")) expelTheDeparted();
    },
    signal(frame) {
      const { to, dev } = frame;
      const among = "label" in to ? (byLabel.get(to.label) ?? []) : (byMember.get(to.member) ?? []);
      const found = [...among].filter(
        (one) =>
          one.dev !== dev &&
          ("label" in to || one.dev === to.dev) &&
          !isBlocked(log, one.member, frame.member),
      );
      const text = encodeFrame(frame);
      for (const occupant of found) occupant.sendText(text);
      return found.length > 0;
    },
    size: () => occupants.size,
    lagging: () => [...occupants].filter(({ feeder }) => feeder.isLagging()).length,
  };
}

function departed(): MeshError {
  return new MeshError(
    "not_a_member",
    "This device no longer belongs to the workspace.",
    "Ask for an invite link.",
  );
}

function add(index: Map<string, Set<Occupant>>, key: string, occupant: Occupant): void {
  const found = index.get(key);
  if (found) found.add(occupant);
  else index.set(key, new Set([occupant]));
}

function remove(index: Map<string, Set<Occupant>>, key: string, occupant: Occupant): void {
  const found = index.get(key);
  found?.delete(occupant);
  if (found?.size === 0) index.delete(key);
}
