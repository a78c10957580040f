/** Who is there: my device's face to colleagues, theirs to me. Sealed and signed; the broker sees that, not what. */
import { fromBase64url, fromUtf8, toBase64url, utf8 } from "#protocol/bytes.ts";
import { currentEpoch, isIn } from "#protocol/chain/state.ts";
import { presenceKey } from "#protocol/derive.ts";
import { type ErrorCode, MeshError } from "#protocol/errors.ts";
import { type Face, face as faceSchema } from "#protocol/features/member.ts";
import { type Faces, type Presence as PresenceFrame, presenceInput } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import { openBody, sealBody } from "#protocol/seal.ts";
import type { Context } from "../context.ts";

/** Changes within this time are told together. */
const MIN_INTERVAL_MS = 5000;
/** So long after a device has said something its face tells how far it has counted. */
const COUNTERS_MS = 30_000;

export type Present = { member: string; dev: string; counter: number; face: Face };

export type Presence = {
  /** My face has changed: shows it as soon as link, key and decency allow. */
  show(): void;
  /** My counters have: that can wait for more. */
  showCounters(): void;
  linkUp(): void;
  linkDown(): void;
  /** Says goodbye at once, so colleagues needn't wait for the lease. */
  leave(): Promise<void>;
  heard(frame: Faces): Promise<void>;
  /** Where presence is only told when asked for: asks, if something has changed. */
  refresh(): Promise<void>;
  /** A key or a member is new: what couldn't be shown or opened before is tried again. */
  retry(): void;
  /** Asks for everybody's face again: some were kept from us. */
  renew(): Promise<void>;
  /** The others' devices. */
  present(): readonly Present[];
  lastSeen(member: string): number | null;
};

export type PresenceOwner = {
  /** My face as it is now, small enough to be shown. */
  face(): Face;
  send(frame: PresenceFrame): void;
  /** @throws MeshError offline */
  pull(after: number): Promise<Faces>;
  changed(member: string, online: boolean, face: Face | null): void;
  /** Members of whom nothing is shown, whatever the broker tells of them. */
  hidden(): readonly string[];
  /** Members of whom the broker tells nothing, so that its silence says nothing. */
  untold(): readonly string[];
  /** A colleague's device signed for a chain head. */
  claimed(dev: string, face: Face): void;
};

export function createPresence(context: Context, owner: PresenceOwner): Presence {
  const { ports, account, workspace, keyring } = context;
  const devices = new Map<string, Present>();
  /** The highest of each device, of those too that have gone: a face of before is no sign of life. */
  const counters = new Map<string, number>();
  const lastSeen = new Map<string, number>();
  /** Faces that came before their key or their device's chain entry. */
  const early = new Map<string, PresenceFrame>();
  let counter = 0;
  let isUp = false;
  let shownAt = Number.NEGATIVE_INFINITY;
  /** What is shown on this link; null as long as nothing is. */
  let shown: string | null = null;
  let cancelLater = () => {};
  let isCounting = false;
  /** The broker's count of changes up to which all is known here. */
  let version = 0;
  let isBehind = false;
  /** After a reconnect: those not told of again by the end of the first telling have gone. */
  let unconfirmed: Set<string> | null = null;

  const isOnline = (member: string) => [...devices.values()].some((device) => device.member === member);

  const send = async (content: (counter: number, key: Uint8Array) => Uint8Array) => {
    const { state } = context.chain.known;
    const epoch = state && currentEpoch(state);
    const key = epoch && keyring.workspaceKey(epoch.number);
    if (!isUp || !epoch || !key) return false;
    // Rises over restarts without being kept: milliseconds outrun the changes of a face, and the quickest restart.
    counter = Math.max(counter + 1, Math.floor(ports.clock.now()));
    const claims = {
      member: account.user,
      dev: account.device.id,
      counter,
      epoch: epoch.number,
      sealed: toBase64url(content(counter, key)),
    };
    const signature = await ports.curves.sign(account.device.secret, presenceInput(workspace, claims));
    owner.send({ type: "presence", ...claims, signature: toBase64url(signature) });
    return true;
  };

  const showNow = async () => {
    cancelLater();
    if (!context.chain.known.state) return;
    const json = JSON.stringify(owner.face());
    if (json === shown) return;
    shownAt = ports.clock.now();
    const seal = (count: number, key: Uint8Array) =>
      sealBody(presenceKey(key, account.device.id, count), utf8(json), ports.random);
    if (await send(seal)) shown = json;
  };

  const report = (error: unknown) => ports.log.warn({ workspace, error: String(error) }, "presence failed");

  const show = () => {
    if (!isUp) return;
    const wait = shownAt + MIN_INTERVAL_MS - ports.clock.now();
    cancelLater();
    cancelLater = () => {};
    if (wait <= 0) showNow().catch(report);
    else cancelLater = ports.timers.after(wait, () => showNow().catch(report));
  };

  const doubt = ({ member }: PresenceFrame, code: ErrorCode) =>
    void context.replica.doubt("face", code, member, ports.clock.now());

  const appeared = async (frame: PresenceFrame) => {
    if (frame.dev === account.device.id) return;
    const device = context.chain.known.state?.devices.get(frame.dev);
    const key = keyring.workspaceKey(frame.epoch);
    if (!device || !key) {
      early.set(frame.dev, frame);
      return;
    }
    const known = devices.get(frame.dev);
    // Right after a removal its face may still be told; and after a reconnect those that are known.
    if (!isIn(device) || known?.counter === frame.counter) return;
    const { type: _, signature, ...claims } = frame;
    const input = presenceInput(workspace, claims);
    if (!(await ports.curves.verify(device.key, input, fromBase64url(signature))))
      return doubt(frame, "bad_signature");
    if (device.member !== frame.member) return doubt(frame, "wrong_author");
    if (frame.counter <= (counters.get(frame.dev) ?? 0)) return doubt(frame, "replayed");
    const json = openBody(presenceKey(key, frame.dev, frame.counter), fromBase64url(frame.sealed));
    const face = faceSchema.parse(JSON.parse(fromUtf8(json)));
    const wasOnline = isOnline(frame.member);
    counters.set(frame.dev, frame.counter);
    devices.set(frame.dev, { member: frame.member, dev: frame.dev, counter: frame.counter, face });
    lastSeen.set(frame.member, ports.clock.now());
    owner.claimed(frame.dev, face);
    if (!owner.hidden().includes(frame.member)) owner.changed(frame.member, !wasOnline, face);
  };

  const vanished = (dev: string, seenAt: number) => {
    const known = devices.get(dev);
    const member = known?.member ?? context.chain.known.state?.devices.get(dev)?.member;
    early.delete(dev);
    if (member) lastSeen.set(member, Math.max(lastSeen.get(member) ?? 0, seenAt));
    if (!known) return;
    devices.delete(dev);
    if (!isOnline(known.member) && !owner.hidden().includes(known.member))
      owner.changed(known.member, false, null);
  };

  /** One bad face is its sender's trouble, not the others'. */
  const take = async (frame: Faces) => {
    for (const { dev, lastSeen: seenAt } of frame.absent) vanished(dev, seenAt);
    for (const face of frame.faces) {
      unconfirmed?.delete(face.dev);
      await appeared(face).catch(report);
    }
    isBehind = frame.more;
    if (frame.more) return;
    version = frame.version;
    const untold = owner.untold();
    for (const dev of unconfirmed ?? [])
      if (!untold.includes(devices.get(dev)?.member ?? "")) vanished(dev, ports.clock.now());
    unconfirmed = null;
  };

  let taking: Promise<void> = Promise.resolve();
  const heard = (frame: Faces) => {
    taking = taking.then(() => take(frame)).catch(report);
    return taking;
  };

  const refresh = async () => {
    try {
      while (isUp && isBehind) {
        const page = await owner.pull(version);
        await heard(page);
        version = page.version;
      }
    } catch (error) {
      // What is known has to do while the broker is away.
      if (!(error instanceof MeshError)) throw error;
    }
  };

  return {
    show,
    showCounters() {
      if (isCounting) return;
      isCounting = true;
      ports.timers.after(COUNTERS_MS, () => {
        isCounting = false;
        show();
      });
    },
    linkUp() {
      isUp = true;
      shown = null;
      version = 0;
      isBehind = false;
      unconfirmed = new Set(devices.keys());
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
    refresh,
    retry() {
      if (isUp && shown === null) showNow().catch(report);
      const frames = [...early.values()];
      early.clear();
      for (const frame of frames) appeared(frame).catch(report);
    },
    async renew() {
      version = 0;
      isBehind = true;
      await refresh();
    },
    present() {
      const hidden = owner.hidden();
      const all = [...devices.values()];
      return hidden.length === 0 ? all : all.filter(({ member }) => !hidden.includes(member));
    },
    lastSeen: (member) => (owner.hidden().includes(member) ? null : (lastSeen.get(member) ?? null)),
  };
}

/** As many of them, the first first, as leave the face within its size. */
export function fittingFace(face: Face, live: readonly string[]): Face {
  const size = (sessions: string) => utf8(JSON.stringify({ ...face, sessions })).length;
  const room = Math.max(0, LIMITS.presence - size(""));
  let sessions = "";
  for (const one of live) {
    if (sessions.length + one.length > room) break;
    sessions += one;
  }
  return { ...face, sessions };
}
