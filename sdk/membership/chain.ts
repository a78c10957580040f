/** This replica's membership chain: loaded, extended only by entries that hold, and proposed to. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import type { CertifiedDevice } from "#protocol/certificate.ts";
import { admit } from "#protocol/chain/admit.ts";
import { type ChainEntry, encodeEntry, workspaceId } from "#protocol/chain/entries.ts";
import { joinProofInput } from "#protocol/chain/proofs.ts";
import { type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { CHAIN } from "#protocol/ids.ts";
import {
  decodeRecord,
  encodeHeader,
  encodeRecord,
  recordHash,
  recordSignatureInput,
  type SealedRecord,
} from "#protocol/record.ts";
import type { ChainHead } from "#protocol/schema.ts";
import { type Account, currentSeed, type SealingPair } from "../account/account.ts";
import type { ChainStep } from "../feature.ts";
import type { PeerPorts } from "../ports.ts";
import type { Replica } from "../replica/replica.ts";

/** What a chain is at one moment; a new one for each entry. */
export type ChainView = {
  /** Null before the genesis has arrived. */
  state: ChainState | null;
  /** Entry hashes by height. */
  hashes: readonly string[];
};

/**
 * `known`: all entries that this replica has. `placed`: those of them that the broker's log has too, as far as it is
 * applied here; records are judged by it. What is known beyond it was made while there was no broker, or the log was
 * restored from a backup that lacks it.
 */
export type Chain = { known: ChainView; placed: ChainView };

/** @throws MeshError chain_invalid when the own database was changed */
export async function loadChain(ports: PeerPorts, replica: Replica, workspace: string): Promise<Chain> {
  let known: ChainView = { state: null, hashes: [] };
  let placed = known;
  for (const { height, seq, bytes } of replica.chain()) {
    const state = await admit(ports.curves, workspace, known.state, decodeRecord(bytes), seq ?? height + 1);
    known = { state, hashes: [...known.hashes, recordHash(bytes)] };
    if (seq !== null) placed = known;
  }
  return { known, placed };
}

/** All entries that are kept here, one after the other; their signatures were verified when the chain was loaded. */
export async function* chainSteps(
  { curves }: Pick<PeerPorts, "curves">,
  replica: Replica,
  workspace: string,
): AsyncIterable<ChainStep> {
  const trusting = { ...curves, verify: async () => true };
  let before: ChainState | null = null;
  for (const { height, seq, bytes } of replica.chain()) {
    const record = decodeRecord(bytes);
    const after: ChainState = await admit(trusting, workspace, before, record, seq ?? height + 1);
    if (before) yield { before, after, record };
    before = after;
  }
}

/**
 * The view after the entry at `sequence`. What is known here already must come back as it was.
 * @throws MeshError chain_…, bad_signature, … for an entry that no honest broker would have
 */
export async function extend(
  ports: PeerPorts,
  workspace: string,
  view: ChainView,
  known: ChainView,
  record: SealedRecord,
  sequence: number,
): Promise<{ view: ChainView; height: number }> {
  const hash = recordHash(record.bytes);
  const again = view.hashes.indexOf(hash);
  if (again >= 0) return { view, height: again };
  const ours = known.hashes[view.hashes.length];
  if (ours !== undefined && ours !== hash) {
    throw new MeshError(
      "chain_forked",
      "The broker shows another membership chain than it did before.",
      "Don't trust this broker.",
    );
  }
  const state = await admit(ports.curves, workspace, view.state, record, sequence);
  return { view: { state, hashes: [...view.hashes, hash] }, height: state.head.height };
}

/** Signs an entry onto the head of `state`. */
export async function signEntry(
  ports: PeerPorts,
  account: Account,
  workspace: string,
  place: { id: string; n: number; head: ChainHead | null; epoch: number },
  entry: ChainEntry,
): Promise<Uint8Array> {
  const { id, n, head, epoch } = place;
  const { user: from, device } = account;
  const headerBytes = encodeHeader({
    id,
    from,
    dev: device.id,
    to: CHAIN,
    n,
    epoch,
    head,
    alg: "none",
    kid: "",
  });
  const body = encodeEntry(entry);
  const signature = await ports.curves.sign(
    device.secret,
    recordSignatureInput(workspace, headerBytes, body),
  );
  return encodeRecord(headerBytes, signature, body);
}

/** Where the next entry by this device goes. */
export function nextPlace(view: ChainView, id: string, n: number) {
  return {
    id,
    n,
    head: view.state?.head ?? null,
    epoch: (view.state && currentEpoch(view.state)?.number) ?? 0,
  };
}

/** A genesis for a new workspace, and the id that it gives. */
export function draftGenesis(ports: PeerPorts, account: Account) {
  const commitment = {
    nonce: toBase64url(ports.random(32)),
    root: toBase64url(account.rootKey),
    created: Math.floor(ports.clock.now()),
  };
  return {
    workspace: workspaceId(commitment),
    entry: (sealing: SealingPair): ChainEntry => ({
      type: "genesis",
      ...commitment,
      ...newcomer(account, sealing),
    }),
  };
}

/** The entry by which a newcomer comes in, signed with the link's secret over who they are. */
export async function draftJoin(
  ports: PeerPorts,
  account: Account,
  workspace: string,
  sealing: SealingPair,
  invite: { code: string; secret: Uint8Array },
): Promise<ChainEntry> {
  const { code, secret } = invite;
  const claim = { code, user: account.user, root: account.rootKey, sealing: sealing.key };
  const proof = await ports.curves.sign(inviteSeed(secret), joinProofInput(workspace, claim));
  return {
    type: "join",
    code,
    root: toBase64url(account.rootKey),
    ...newcomer(account, sealing),
    proof: toBase64url(proof),
  };
}

/** What a chain entry says of this device. */
export function deviceFields({ device: { key, certificate, via = [] } }: Account) {
  return {
    key: toBase64url(key),
    certificate: toBase64url(certificate),
    via: [...via],
  } satisfies CertifiedDevice;
}

function newcomer(account: Account, sealing: SealingPair) {
  return {
    sealing: toBase64url(sealing.key),
    seed: currentSeed(account).number,
    device: deviceFields(account),
  };
}

/** The chain must contain the head that the link names: its maker saw this chain and no other. @throws MeshError invite_wrong_head */
export function requireHead(view: ChainView, head: Uint8Array): void {
  const prefix = toBase64url(head);
  if (view.hashes.some((hash) => toBase64url(fromBase64url(hash).subarray(0, head.length)) === prefix))
    return;
  throw new MeshError(
    "invite_wrong_head",
    "The broker shows another membership chain than the one the link was made on.",
    "Ask whoever invited you for a new link, and tell them about this.",
  );
}
