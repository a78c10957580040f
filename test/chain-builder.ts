/**
 * Builds membership chains for tests. Each verb appends the right entry and answers its record and the state after it:
 *
 *     const alice = await person("alice");
 *     const chain = await found(alice);
 *     await chain.epoch(alice);
 *     const invite = await chain.invite(alice, { role: "member" });
 *     await chain.join(await person("bob"), invite);
 *
 * For wrong entries: take a `draft`, change it, `sign` it, `offer` it.
 */
import { nodeCurves } from "#adapters/curves.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { admit } from "#protocol/chain/admit.ts";
import { type ChainEntry, encodeEntry, workspaceId } from "#protocol/chain/entries.ts";
import { deviceRevokeInput, joinProofInput, migrateInput, seedInput } from "#protocol/chain/proofs.ts";
import { awaitingKey, type ChainState, currentEpoch, holdsKey, type Member } from "#protocol/chain/state.ts";
import { epochCommitment, epochWrapKey, inviteSeed, pairKey, previousWrapKey } from "#protocol/derive.ts";
import { CHAIN } from "#protocol/ids.ts";
import { wrapKey } from "#protocol/key-box.ts";
import {
  decodeRecord,
  encodeHeader,
  encodeRecord,
  type Header,
  recordSignatureInput,
  type SealedRecord,
} from "#protocol/record.ts";
import type { ChainHead, Role } from "#protocol/schema.ts";
import {
  deviceFields,
  fixedBytes,
  fixedRandom,
  type Person,
  recordId,
  sealingKeys,
  type TestDevice,
} from "./person.ts";

export type Entry<T extends ChainEntry["type"]> = Extract<ChainEntry, { type: T }>;
export type Step = { record: SealedRecord; bytes: Uint8Array; sequence: number; state: ChainState };
export type TestInvite = { code: string; secret: Uint8Array };
export type InviteOptions = {
  role?: Exclude<Role, "owner">;
  uses?: number;
  expiresAt?: number;
  code?: string;
  wrapped?: string;
  mail?: true;
};
/** What a record says other than its author would; `signer` is the device that signs it. */
export type Forgery = Partial<Header> & { signer?: TestDevice };
export type TestChain = Awaited<ReturnType<typeof found>>;

const CREATED = 1_750_000_000_000;
const A_WEEK = 7 * 86_400_000;

/** A new workspace of `owner`, its genesis at sequence 1. */
export async function found(owner: Person, nonceName = "genesis") {
  const entry = {
    type: "genesis" as const,
    nonce: toBase64url(fixedBytes(nonceName)),
    root: toBase64url(owner.root),
    created: CREATED,
    seed: owner.seedNumber,
    device: deviceFields(owner.device),
  };
  const workspace = workspaceId(entry);
  const { publicKey } = await sealingKeys(owner, workspace);
  const { type, nonce, root, created, seed, device } = entry;
  const genesis = { type, nonce, root, created, sealing: toBase64url(publicKey), seed, device };
  const bytes = await signEntry(workspace, { head: null, epoch: 0, n: 1 }, owner, genesis);
  const record = decodeRecord(bytes);
  const state = await admit(nodeCurves, workspace, null, record, 1);
  return chainFrom([{ record, bytes, sequence: 1, state }], [], 2);
}

type Place = { head: ChainHead | null; epoch: number; n: number };

/** The record of an entry, signed by the author's device or as the forgery has it. */
export async function signEntry(
  workspace: string,
  { head, epoch, n }: Place,
  author: Person,
  entry: ChainEntry,
  { signer = author.device, ...said }: Forgery = {},
): Promise<Uint8Array> {
  const header: Header = {
    id: recordId(n),
    from: author.id,
    dev: signer.id,
    to: CHAIN,
    n,
    epoch,
    head,
    alg: "none",
    kid: "",
    ...said,
  };
  const headerBytes = encodeHeader(header);
  const body = encodeEntry(entry);
  const signature = await nodeCurves.sign(signer.seed, recordSignatureInput(workspace, headerBytes, body));
  return encodeRecord(headerBytes, signature, body);
}

function chainFrom(steps: Step[], keys: Uint8Array[], nextSequence: number) {
  const first = steps[0];
  if (!first) throw new Error("a chain has its genesis");
  const { workspace } = first.state;
  let state = steps.at(-1)?.state ?? first.state;
  let sequence = nextSequence;

  const sealTo = async (author: Person, members: readonly Member[], key: Uint8Array, epoch: number) => {
    const { secret } = await sealingKeys(author, workspace);
    const boxes = members.map(async (member) => {
      const wrap = epochWrapKey(await pairKey(nodeCurves, secret, member.sealing), workspace, epoch);
      return [member.id, toBase64url(wrapKey(wrap, key, fixedRandom(`box ${epoch} ${member.id}`)))] as const;
    });
    return Object.fromEntries(await Promise.all(boxes));
  };

  const draft = {
    async invite(options: InviteOptions = {}): Promise<{ entry: Entry<"invite">; invite: TestInvite }> {
      const code = options.code ?? `Invite${String(state.invites.size).padStart(2, "0")}`;
      const secret = fixedBytes(`secret of ${code}`, 16);
      const key = toBase64url(await nodeCurves.signingPublicKey(inviteSeed(secret)));
      const { role = "member", expiresAt = CREATED + A_WEEK, uses = 1, wrapped, mail } = options;
      const kind = { ...(wrapped === undefined ? {} : { wrapped }), ...(mail ? { mail } : {}) };
      return {
        entry: { type: "invite", code, key, role, expiresAt, uses, ...kind },
        invite: { code, secret },
      };
    },
    async join(who: Person, { code, secret }: TestInvite, device = who.device): Promise<Entry<"join">> {
      const { publicKey: sealing } = await sealingKeys(who, workspace);
      const proofInput = joinProofInput(workspace, { code, user: who.id, root: who.root, sealing });
      return {
        type: "join",
        code,
        root: toBase64url(who.root),
        sealing: toBase64url(sealing),
        seed: who.seedNumber,
        device: deviceFields(device),
        proof: toBase64url(await nodeCurves.sign(inviteSeed(secret), proofInput)),
      };
    },
    device(device: TestDevice): Entry<"device"> {
      return { type: "device", device: deviceFields(device) };
    },
    async deviceRevoke(who: Person, devices: readonly string[]): Promise<Entry<"device-revoke">> {
      const proof = await nodeCurves.sign(who.rootSeed, deviceRevokeInput(who.id, devices));
      return { type: "device-revoke", devices: [...devices], proof: toBase64url(proof) };
    },
    /** Of somebody who has a newer seed. */
    async seed(who: Person): Promise<Entry<"seed">> {
      const { seedNumber: number } = who;
      const { publicKey: sealing } = await sealingKeys(who, workspace);
      const proof = await nodeCurves.sign(who.rootSeed, seedInput(workspace, who.id, number, sealing));
      return { type: "seed", number, sealing: toBase64url(sealing), proof: toBase64url(proof) };
    },
    async migrate(from: Person, to: Person, device = to.device): Promise<Entry<"migrate">> {
      const { publicKey: sealing } = await sealingKeys(to, workspace);
      const input = migrateInput(workspace, from.id, { user: to.id, seed: to.seedNumber, sealing });
      return {
        type: "migrate",
        root: toBase64url(to.root),
        sealing: toBase64url(sealing),
        seed: to.seedNumber,
        device: deviceFields(device),
        consent: toBase64url(await nodeCurves.sign(from.rootSeed, input)),
        proof: toBase64url(await nodeCurves.sign(to.rootSeed, input)),
      };
    },
    leave(): Entry<"leave"> {
      return { type: "leave" };
    },
    /** The next epoch, sealed to every full member. */
    async epoch(author: Person, key = fixedBytes(`key ${state.epochs.length}`)): Promise<Entry<"epoch">> {
      const number = state.epochs.length;
      const before = keys[number - 1];
      const previous = before
        ? wrapKey(previousWrapKey(key, workspace, number), before, fixedRandom(`previous ${number}`))
        : new Uint8Array(0);
      return {
        type: "epoch",
        number,
        commitment: toBase64url(epochCommitment(key, workspace, number)),
        sealed: await sealTo(author, [...state.members.values()].filter(holdsKey), key, number),
        previous: toBase64url(previous),
      };
    },
    /** The current epoch, sealed to those who joined since. */
    async share(author: Person): Promise<Entry<"epoch">> {
      const number = state.epochs.length - 1;
      const key = keys[number];
      if (!key) throw new Error("there is no epoch yet");
      return {
        type: "epoch",
        number,
        commitment: toBase64url(epochCommitment(key, workspace, number)),
        sealed: await sealTo(author, awaitingKey(state), key, number),
        previous: "",
      };
    },
  };

  /** A signed record on the current head, not yet offered. */
  const sign = (author: Person, entry: ChainEntry, forgery: Forgery = {}): Promise<Uint8Array> => {
    const place = { head: state.head, epoch: currentEpoch(state)?.number ?? 0, n: state.head.height + 2 };
    return signEntry(workspace, place, author, entry, forgery);
  };

  /** Judges a record as the next of the log, and takes it in if it holds. @throws MeshError */
  const offer = async (bytes: Uint8Array): Promise<Step> => {
    const record = decodeRecord(bytes);
    state = await admit(nodeCurves, workspace, state, record, sequence);
    const step = { record, bytes, sequence, state };
    steps.push(step);
    sequence += 1;
    return step;
  };

  const append = async (author: Person, entry: ChainEntry, forgery: Forgery = {}) =>
    offer(await sign(author, entry, forgery));

  return {
    workspace,
    draft,
    sign,
    offer,
    append,
    get state() {
      return state;
    },
    /** Sequence that the next record gets. */
    get sequence() {
      return sequence;
    },
    get steps(): readonly Step[] {
      return steps;
    },
    /** Workspace keys by epoch. */
    get keys(): readonly Uint8Array[] {
      return keys;
    },
    async invite(author: Person, options: InviteOptions = {}): Promise<Step & TestInvite> {
      const { entry, invite } = await draft.invite(options);
      return { ...(await append(author, entry)), ...invite };
    },
    async join(who: Person, invite: TestInvite, device = who.device): Promise<Step> {
      return append(who, await draft.join(who, invite, device), { signer: device });
    },
    async addDevice(who: Person, device: TestDevice): Promise<Step> {
      return append(who, draft.device(device), { signer: device });
    },
    async revokeDevices(who: Person, devices: readonly string[], forgery: Forgery = {}): Promise<Step> {
      return append(who, await draft.deviceRevoke(who, devices), forgery);
    },
    async rotateSeed(who: Person): Promise<Step> {
      return append(who, await draft.seed(who));
    },
    offerTo(owner: Person, to: Person | null): Promise<Step> {
      return append(owner, { type: "offer", member: to?.id ?? null });
    },
    accept(who: Person): Promise<Step> {
      return append(who, { type: "accept" });
    },
    async migrate(from: Person, to: Person): Promise<Step> {
      return append(from, await draft.migrate(from, to));
    },
    leave(who: Person): Promise<Step> {
      return append(who, draft.leave());
    },
    async epoch(author: Person, key = fixedBytes(`key ${state.epochs.length}`)): Promise<Step> {
      const step = await append(author, await draft.epoch(author, key));
      keys.push(key);
      return step;
    },
    async share(author: Person): Promise<Step> {
      return append(author, await draft.share(author));
    },
    /** Lets other records take the next `count` sequences. */
    skip(count: number): void {
      sequence += count;
    },
    /** A second chain that goes its own way from here. */
    branch() {
      return chainFrom([...steps], [...keys], sequence);
    },
  };
}

/** The workspace key in a sealed box needs the other side: who sealed it. */
export async function boxKey(
  reader: Person,
  workspace: string,
  epoch: number,
  bySealing: Uint8Array,
): Promise<Uint8Array> {
  const { secret } = await sealingKeys(reader, workspace);
  return epochWrapKey(await pairKey(nodeCurves, secret, bySealing), workspace, epoch);
}
