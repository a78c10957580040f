/**
 * What matters now and is never stored: told to all who follow a label, or asked of one device, which answers, is gone,
 * or lets the time run out. Sealed, and signed over target, sender's boot and a number that rises within the boot.
 */
import { fromBase64url, fromUtf8, toBase64url, utf8 } from "#protocol/bytes.ts";
import { currentEpoch, isIn } from "#protocol/chain/state.ts";
import { labelContentKey, signalKey } from "#protocol/derive.ts";
import { type ErrorCode, errorShape, fromErrorShape, MeshError } from "#protocol/errors.ts";
import { type Signal, signalClaims, signalInput } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import { openBody, sealBody } from "#protocol/seal.ts";
import { type Content, content, type Question, type Told } from "#protocol/signal.ts";
import type { Context, Teller } from "../context.ts";
import { kidOf } from "../membership/keyring.ts";
import type { Present } from "./presence.ts";

export type Signals = {
  /** This start of the device, as its face tells it. */
  readonly boot: string;
  /** To all who follow the label now. Nothing happens while there is no link or key. */
  tell(label: string, told: Told): void;
  /** @throws MeshError offline when the device is gone, timeout, or what it answers with */
  ask(dev: string, question: Question, ms: number): Promise<unknown>;
  heard(frame: Signal): void;
  gone(number: number): void;
  linkDown(): void;
};

export type SignalsOwner = {
  present(): readonly Present[];
  send(frame: Signal): void;
  told(told: Told, from: Teller): void;
  /** Its result goes back. @throws MeshError which goes back too */
  asked(question: Question, from: Teller): Promise<unknown>;
};

type Target = Signal["to"];
type Waiting = { resolve(result: unknown): void; reject(error: MeshError): void; number: number };

const GONE = new MeshError("offline", "That device isn't online.", "Try again when it is.");

export function createSignals(context: Context, owner: SignalsOwner): Signals {
  const { ports, account, workspace, keyring } = context;
  const boot = toBase64url(ports.random(16));
  let number = 0;
  let nextQuestion = 1;
  const waiting = new Map<number, Waiting>();
  /** Highest number heard of a device's boot. */
  const heardOf = new Map<string, { boot: string; number: number }>();

  const bootOf = (dev: string) => owner.present().find((one) => one.dev === dev)?.face.boot ?? null;

  const keyFor = async (other: Target, from: string, epoch: number): Promise<Uint8Array | null> => {
    const { state } = context.chain.known;
    if ("label" in other && context.topicKeys.has(other.label)) return topicKey(other.label);
    if ("label" in other) return keyring.contentKey(epoch, other.label);
    return state && keyring.pair(state, { from, to: other.member, kid: kidOf(state, from, other.member) });
  };

  /** Of a private topic; null while it is to be renewed. */
  const topicKey = (label: string): Uint8Array | null => {
    const { state } = context.chain.known;
    const roster = context.rosters.current(label);
    const isFresh = state && roster && context.rosters.staleness(label, state) === null;
    return isFresh ? labelContentKey(roster.key, label) : null;
  };

  let sending: Promise<unknown> = Promise.resolve();
  /** One after the other, so that they leave in the order of their numbers. */
  const send = (to: Target, what: Content): Promise<number> => {
    const sent = sending.then(() => sendNow(to, what));
    sending = sent.catch(() => {});
    return sent;
  };

  const sendNow = async (to: Target, what: Content): Promise<number> => {
    const { state } = context.chain.known;
    const epoch = state && currentEpoch(state)?.number;
    const key = typeof epoch === "number" ? await keyFor(to, account.user, epoch) : null;
    if (typeof epoch !== "number" || !key) throw GONE;
    const json = utf8(JSON.stringify(what));
    if (json.length > LIMITS.signal) {
      throw new MeshError("too_large", "That is too much for a signal.", "Share it as a file.");
    }
    const claims = {
      member: account.user,
      dev: account.device.id,
      boot,
      number: ++number,
      to,
      toBoot: "label" in to ? null : bootOf(to.dev),
      epoch,
    };
    const sealKey = signalKey(key, workspace, signalClaims(workspace, claims));
    const sealed = toBase64url(sealBody(sealKey, json, ports.random));
    const input = signalInput(workspace, { ...claims, sealed });
    const signature = toBase64url(await ports.curves.sign(account.device.secret, input));
    owner.send({ type: "signal", ...claims, sealed, signature });
    return claims.number;
  };

  const doubt = (member: string, code: ErrorCode): null => {
    context.replica.doubt("signal", code, member, ports.clock.now());
    return null;
  };

  /** Null for what isn't for this life of this device, or was heard before. @throws MeshError bad_seal */
  const open = async ({ type: _, ...frame }: Signal): Promise<Content | null> => {
    const { member, dev, to, toBoot, epoch, sealed, signature, ...claims } = frame;
    const device = context.chain.known.state?.devices.get(dev);
    // A face that is a moment late looks no different from a boot that is long over.
    if (!device || !isIn(device) || bootOf(dev) !== claims.boot) return null;
    if (!("label" in to) && (to.dev !== account.device.id || toBoot !== boot)) return null;
    const { signature: _signature, ...signed } = frame;
    const input = signalInput(workspace, signed);
    if (!(await ports.curves.verify(device.key, input, fromBase64url(signature))))
      return doubt(member, "bad_signature");
    if (device.member !== member) return doubt(member, "wrong_author");
    const known = heardOf.get(dev);
    if (known?.boot === claims.boot && claims.number <= known.number) return doubt(member, "replayed");
    heardOf.set(dev, { boot: claims.boot, number: claims.number });
    const key = await keyFor(to, member, epoch);
    if (!key) return null;
    const { sealed: _sealed, ...claimed } = signed;
    const sealKey = signalKey(key, workspace, signalClaims(workspace, claimed));
    const parsed = content.safeParse(JSON.parse(fromUtf8(openBody(sealKey, fromBase64url(sealed)))));
    return parsed.success ? parsed.data : null;
  };

  const answer = async (id: number, question: Question, from: Teller) => {
    const reply: Content = await owner
      .asked(question, from)
      .then((result): Content => ({ type: "answer", id, result }))
      .catch((error): Content => ({ type: "failed", id, error: errorShape(error) }));
    await send(from, reply);
  };

  const take = async (frame: Signal) => {
    const what = await open(frame);
    if (!what) return;
    const from = { member: frame.member, dev: frame.dev };
    if (what.type === "tell") return owner.told(what.told, from);
    // Not awaited: a slow answer doesn't hold up the signals behind it.
    if (what.type === "ask") return void answer(what.id, what.question, from).catch(report);
    const asked = waiting.get(what.id);
    waiting.delete(what.id);
    if (what.type === "answer") asked?.resolve(what.result);
    else asked?.reject(fromErrorShape(what.error));
  };

  const report = (error: unknown) => ports.log.warn({ workspace, error: String(error) }, "a signal failed");
  let taking: Promise<void> = Promise.resolve();

  return {
    boot,
    tell(label, told) {
      // Nobody waits for it: where there is no link, there is nobody to tell.
      send({ label }, { type: "tell", told }).catch(() => {});
    },
    async ask(dev, question, ms) {
      const present = owner.present().find((one) => one.dev === dev);
      if (!present) throw GONE;
      const id = nextQuestion++;
      return new Promise((resolve, reject) => {
        const cancel = ports.timers.after(ms, () => finish(() => reject(tooLate(ms))));
        const finish = (settle: () => void) => {
          cancel();
          waiting.delete(id);
          settle();
        };
        const asked: Waiting = {
          number: 0,
          resolve: (result) => finish(() => resolve(result)),
          reject: (error) => finish(() => reject(error)),
        };
        waiting.set(id, asked);
        send({ member: present.member, dev }, { type: "ask", id, question }).then(
          (sent) => {
            asked.number = sent;
          },
          (error) => asked.reject(error instanceof MeshError ? error : GONE),
        );
      });
    },
    heard(frame) {
      taking = taking.then(() => take(frame)).catch(report);
    },
    gone(sent) {
      for (const asked of [...waiting.values()]) if (asked.number === sent) asked.reject(GONE);
    },
    linkDown() {
      for (const asked of [...waiting.values()]) asked.reject(GONE);
    },
  };
}

function tooLate(ms: number): MeshError {
  return new MeshError("timeout", `The device didn't answer within ${ms} ms.`, "Try again.");
}
