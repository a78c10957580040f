/**
 * A broker that lies: the real one, and on the way of its frames somebody who can read and write every format, keeps what has
 * passed, and has keys of their own, but nobody else's.
 */

import { systemRandom } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { doctor } from "#daemon/methods/doctor.ts";
import { noDelivery, noPolicing, noSessions } from "#daemon/one-workspace.ts";
import { toBase64url, utf8 } from "#protocol/bytes.ts";
import { type ChainEntry, encodeEntry } from "#protocol/chain/entries.ts";
import { currentEpoch } from "#protocol/chain/state.ts";
import { presenceKey } from "#protocol/derive.ts";
import type { Face } from "#protocol/features/member.ts";
import {
  decodeFromBroker,
  decodeRecordFrame,
  encodeFrame,
  encodeRecordFrame,
  type FromBroker,
  type Presence,
  presenceInput,
} from "#protocol/frames.ts";
import { CHAIN } from "#protocol/ids.ts";
import {
  decodeRecord,
  encodeHeader,
  encodeRecord,
  type Header,
  recordSignatureInput,
  type SealedRecord,
} from "#protocol/record.ts";
import { sealBody } from "#protocol/seal.ts";
import { CALLER, type Frame, type Member, type Tamper } from "./mesh.ts";

export const honest: Tamper = (frame) => [frame];

type Which = (record: SealedRecord) => boolean;

export const isChain: Which = ({ header }) => header.to === CHAIN;
export const isPut: Which = ({ header }) => header.put !== undefined;
export const isFrom =
  ({ peer }: Member): Which =>
  ({ header }) =>
    header.from === peer.account.user && header.to !== CHAIN;
/** What is said to somebody or everybody, without the receipts, profiles and claims that go along. */
export const isTo =
  (label: string): Which =>
  ({ header }) =>
    header.to === label && header.n > 0;

/** Changes the pushed records that `which` picks; the answer is what is pushed instead. */
export function onPush(
  which: Which,
  change: (record: SealedRecord, frame: Uint8Array) => readonly Frame[],
): Tamper {
  return (frame) => {
    if (typeof frame === "string" || decodeRecordFrame(frame).outer.type !== "push") return [frame];
    const record = decodeRecord(decodeRecordFrame(frame).record);
    return which(record) ? change(record, frame) : [frame];
  };
}

export const withheld = (which: Which): Tamper => onPush(which, () => []);

/** Changes control frames of one type. */
export function onFrame<T extends FromBroker["type"]>(
  type: T,
  change: (frame: Extract<FromBroker, { type: T }>) => readonly Frame[],
): Tamper {
  return (frame) => {
    const parsed = typeof frame === "string" ? decodeFromBroker(frame) : null;
    return parsed?.type === type ? change(parsed as Extract<FromBroker, { type: T }>) : [frame];
  };
}

/** One lie behind the other. */
export function all(...lies: readonly Tamper[]): Tamper {
  return (frame) => lies.reduce<readonly Frame[]>((frames, lie) => frames.flatMap(lie), [frame]);
}

/** Says it with the next frame that passes, and then goes on as before. */
export function say(member: Member, ...frames: readonly Frame[]): void {
  const before = member.toDevice;
  member.toDevice = (frame) => {
    member.toDevice = before;
    return [...frames, ...before(frame)];
  };
}

/** The first record that `which` picks, as it is pushed; others are pushed as before. */
export function passing(member: Member, which: Which): Promise<SealedRecord> {
  const before = member.toDevice;
  return new Promise((resolve) => {
    const look = onPush(which, (record, frame) => {
      resolve(record);
      return [frame];
    });
    member.toDevice = (frame) => look(frame).flatMap(before);
  });
}

/** A place in the log that no record of the test's comes to. */
export const farPlace = ({ opened }: Member): number => opened().workspace.replica.cursor() + 1000;

/** As the broker pushes it, there; what comes before it may come on the next link. */
export function pushed(member: Member, record: Uint8Array, seq = farPlace(member)): Uint8Array {
  const through = member.opened().workspace.replica.cursor();
  return encodeRecordFrame({ type: "push", seq, at: 0, through }, record);
}

/** The same frame with another record in it. */
export function withRecord(frame: Uint8Array, record: Uint8Array): Uint8Array {
  return encodeRecordFrame(decodeRecordFrame(frame).outer, record);
}

export const encoded = (frame: FromBroker): string => encodeFrame(frame);

export function flipped(record: SealedRecord, part: "signature" | "body"): Uint8Array {
  const copy = { signature: Uint8Array.from(record.signature), body: Uint8Array.from(record.body) };
  copy[part][20] = (copy[part][20] ?? 0) ^ 1;
  return encodeRecord(record.headerBytes, copy.signature, copy.body);
}

/** A record with other claims, signed by whoever `signer` is. */
export async function resigned(
  signer: Member,
  workspace: string,
  record: Pick<SealedRecord, "header" | "body">,
  changes: Partial<Header> = {},
): Promise<Uint8Array> {
  const headerBytes = encodeHeader({ ...record.header, ...changes });
  const input = recordSignatureInput(workspace, headerBytes, record.body);
  const signature = await signer.peer.ports.curves.sign(signer.peer.account.device.secret, input);
  return Uint8Array.from(encodeRecord(headerBytes, signature, record.body));
}

/** A membership entry as the next one of the victim's chain, by `signer` in its own name or in another's. */
export async function forgedEntry(
  signer: Member,
  victim: Member,
  entry: ChainEntry,
  said: Partial<Header> = {},
): Promise<Uint8Array> {
  const { workspace } = victim.opened();
  const chain = workspace.chain();
  if (!chain) throw new Error("the victim has a chain");
  const { user, device } = signer.peer.account;
  const header = {
    id: "01a00000-0000-7000-8000-000000000001",
    from: user,
    dev: device.id,
    to: CHAIN,
    n: 99,
    epoch: currentEpoch(chain)?.number ?? 0,
    head: chain.head,
    alg: "none" as const,
    kid: "",
    ...said,
  };
  return resigned(signer, workspace.id, { header, body: encodeEntry(entry) });
}

/** What a device sends from now on, but for chain entries. */
export function sealedBy(member: Member): SealedRecord[] {
  const sent: SealedRecord[] = [];
  member.toBroker = (frame) => {
    if (typeof frame === "string") return [frame];
    const record = decodeRecord(decodeRecordFrame(frame).record);
    if (record.header.to !== CHAIN) sent.push(record);
    return [frame];
  };
  return sent;
}

export const troubleOf = (member: Member) => member.opened().workspace.trouble()?.code ?? null;

/** As `audit show` tells them. */
export async function findings(member: Member): Promise<string[]> {
  const { workspaces } = await member.handlers.audit.show({}, CALLER, () => {});
  return workspaces.flatMap((one) => one.findings.map(({ type, detail }) => `${type}: ${detail}`));
}

/** Whether `doctor` complains of the workspace's records, and with which words. */
export async function complaint(member: Member): Promise<string | null> {
  const { checks } = await doctor(member.peer, noSessions, noDelivery, noPolicing.rules);
  const found = checks.find(({ name }) => name === "records acme");
  return found && !found.ok ? found.detail : null;
}

/** What a member's device would show of itself, but for the `changes`. */
export async function signedFace(
  member: Member,
  changes: Partial<Face & { counter: number }> = {},
): Promise<Presence> {
  const { workspace } = member.opened();
  const { user, device } = member.peer.account;
  const { counter = Date.now(), ...rest } = changes;
  const chain = workspace.chain();
  const epoch = (chain && currentEpoch(chain)?.number) ?? 0;
  const key = workspace.keyring.workspaceKey(epoch);
  if (!chain || !key) throw new Error(`${member.name} can't show a face yet`);
  const counters = { through: workspace.replica.cursor(), n: {} };
  const shown = { boot: workspace.signals.boot, head: chain.head, counters, sessions: "", ...rest };
  const box = sealBody(presenceKey(key, device.id, counter), utf8(JSON.stringify(shown)), systemRandom);
  const claims = { member: user, dev: device.id, counter, epoch, sealed: toBase64url(box) };
  const signature = await nodeCurves.sign(device.secret, presenceInput(workspace.id, claims));
  return { type: "presence", ...claims, signature: toBase64url(signature) };
}

/** Faces as a broker tells them. */
export function told(...faces: readonly Presence[]): string {
  return encoded({ type: "faces", version: 2 ** 40, faces: [...faces], absent: [], more: false });
}
