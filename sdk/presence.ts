/** Who is there: my device's face to colleagues, theirs to me. Sealed and signed; the broker sees that, not what. */
import { fromBase64url, fromUtf8, toBase64url, utf8 } from "#protocol/bytes.ts";
import { type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { presenceKey } from "#protocol/derive.ts";
import { type Face, face as faceSchema } from "#protocol/features/member.ts";
import { type Presence as PresenceFrame, presenceInput } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import { openBody, sealBody } from "#protocol/seal.ts";
import type { Account } from "./account.ts";
import type { Keyring } from "./keyring.ts";
import type { PeerPorts } from "./ports.ts";

/** Changes within this time are told together. */
const MIN_INTERVAL_MS = 5000;

export type Present = { member: string; dev: string; counter: number; face: Face };

export type Presence = {
  /** Shows this face from now on, as soon as link and key allow. */
  show(face: Face): void;
  linkUp(): void;
  linkDown(): void;
  /** Says goodbye at once, so colleagues needn't wait for the lease. */
  leave(): Promise<void>;
  heard(frame: PresenceFrame): Promise<void>;
  absent(dev: string, lastSeen: number): void;
  /** A key or a member is new: what couldn't be shown or opened before is tried again. */
  retry(): void;
  /** The others' devices. */
  present(): readonly Present[];
  lastSeen(member: string): number | null;
};

export type PresenceOwner = {
  chain(): ChainState | null;
  send(frame: PresenceFrame): void;
  changed(member: string, online: boolean, face: Face | null): void;
};

export function createPresence(
  ports: PeerPorts,
  account: Account,
  workspace: string,
  keyring: Keyring,
  owner: PresenceOwner,
): Presence {
  const devices = new Map<string, Present>();
  const lastSeen = new Map<string, number>();
  /** Faces that came before their key or their device's chain entry. */
  const early = new Map<string, PresenceFrame>();
  let face: Face = { sessions: [] };
  let counter = 0;
  let isUp = false;
  let shownAt = Number.NEGATIVE_INFINITY;
  /** On this link; false as long as the key is missing. */
  let isShown = false;
  let cancelLater = () => {};

  const isOnline = (member: string) => [...devices.values()].some((device) => device.member === member);

  const send = async (sealed: (counter: number, epoch: number, key: Uint8Array) => Uint8Array) => {
    const chain = owner.chain();
    const epoch = chain && currentEpoch(chain);
    const key = epoch && keyring.workspaceKey(epoch.number);
    if (!isUp || !epoch || !key) return;
    // Rises over restarts without being kept: seconds outrun the changes of a face.
    counter = Math.max(counter + 1, Math.floor(ports.clock.now() / 1000));
    const body = sealed(counter, epoch.number, key);
    const claims = {
      member: account.user,
      dev: account.device.id,
      counter,
      epoch: epoch.number,
      sealed: toBase64url(body),
    };
    const signature = await ports.curves.sign(account.device.secret, presenceInput(workspace, claims));
    isShown = true;
    owner.send({ type: "presence", ...claims, signature: toBase64url(signature) });
  };

  const showNow = () => {
    cancelLater();
    cancelLater = () => {};
    shownAt = ports.clock.now();
    return send((count, _, key) => {
      const fitting = { sessions: [...face.sessions] };
      // A face has a size; the sessions that don't fit are still reachable, just not listed.
      while (utf8(JSON.stringify(fitting)).length > LIMITS.presence - 100) fitting.sessions.pop();
      return sealBody(
        presenceKey(key, account.device.id, count),
        utf8(JSON.stringify(fitting)),
        ports.random,
      );
    });
  };

  const report = (error: unknown) => ports.log.warn({ workspace, error: String(error) }, "presence failed");

  const heard = async (frame: PresenceFrame) => {
    const device = owner.chain()?.devices.get(frame.dev);
    const key = keyring.workspaceKey(frame.epoch);
    if (!device || !key) {
      early.set(frame.dev, frame);
      return;
    }
    const known = devices.get(frame.dev);
    const belongs = device.spans.some((span) => span.until === Number.POSITIVE_INFINITY);
    if (!belongs || device.member !== frame.member || (known && frame.counter <= known.counter)) return;
    const { type: _, signature, ...claims } = frame;
    if (!(await ports.curves.verify(device.key, presenceInput(workspace, claims), fromBase64url(signature))))
      return;
    const json = openBody(presenceKey(key, frame.dev, frame.counter), fromBase64url(frame.sealed));
    const opened = faceSchema.parse(JSON.parse(fromUtf8(json)));
    const wasOnline = isOnline(frame.member);
    devices.set(frame.dev, { member: frame.member, dev: frame.dev, counter: frame.counter, face: opened });
    lastSeen.set(frame.member, ports.clock.now());
    owner.changed(frame.member, !wasOnline, opened);
  };

  const showSoon = () => {
    const wait = shownAt + MIN_INTERVAL_MS - ports.clock.now();
    if (wait <= 0) showNow().catch(report);
    else {
      cancelLater();
      cancelLater = ports.timers.after(wait, () => showNow().catch(report));
    }
  };

  return {
    show(next) {
      if (JSON.stringify(next) === JSON.stringify(face)) return;
      face = next;
      if (isUp) showSoon();
    },
    linkUp() {
      isUp = true;
      isShown = false;
      showNow().catch(report);
    },
    linkDown() {
      isUp = false;
      cancelLater();
    },
    async leave() {
      await send(() => new Uint8Array(0)).catch(report);
    },
    heard,
    absent(dev, seenAt) {
      const known = devices.get(dev);
      early.delete(dev);
      if (!known) return;
      devices.delete(dev);
      lastSeen.set(known.member, seenAt);
      if (!isOnline(known.member)) owner.changed(known.member, false, null);
    },
    retry() {
      if (isUp && !isShown) showNow().catch(report);
      const frames = [...early.values()];
      early.clear();
      for (const frame of frames) heard(frame).catch(report);
    },
    present: () => [...devices.values()],
    lastSeen: (member) => lastSeen.get(member) ?? null,
  };
}
