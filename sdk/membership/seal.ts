/** Event → record, and record → event: the two ends of everything that is sealed. */
import { equalBytes, fromUtf8, utf8 } from "#protocol/bytes.ts";
import { authorAt, type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { labelContentKey, recordKey } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Curves, Random } from "#protocol/ports.ts";
import {
  encodeHeader,
  encodeRecord,
  type Header,
  isGuard,
  type Put,
  recordSignatureInput,
  type SealedRecord,
} from "#protocol/record.ts";
import { events, type MeshEvent } from "#protocol/registry.ts";
import { openBody, sealBody } from "#protocol/seal.ts";
import type { Account } from "../account/account.ts";
import { chainForked, chainWithheld } from "./heads.ts";
import { type Keyring, kidOf, seedMissing } from "./keyring.ts";

export type Sealer = {
  /** Seals under the current epoch and signs. @throws MeshError waiting_for_key, not_a_member */
  seal(
    chain: ChainState,
    draft: {
      id: string;
      label: string;
      n: number;
      put: Put | null;
      event: MeshEvent;
      /** Of a private topic. */
      under?: { generation: number; key: Uint8Array } | null;
    },
  ): Promise<Uint8Array>;
  /** Signature and author, as of the sequence. @throws MeshError bad_signature, unknown_device, wrong_author, chain_… */
  verify(chain: ChainState, hashes: readonly string[], record: SealedRecord, sequence: number): Promise<void>;
  /** Null without the key yet. @throws MeshError bad_seal, bad_key, bad_data */
  open(chain: ChainState, record: SealedRecord): Promise<Opened | null>;
  /** The same under whichever of these content keys' secrets fits; null when none does. */
  openUnder(
    candidates: readonly Uint8Array[],
    record: SealedRecord,
  ): Promise<(Opened & { key: Uint8Array }) | null>;
};

/** A few windows of what is under way. */
const REMEMBERED = 4 * LIMITS.sendWindow;

export type Opened = { known: true; event: MeshEvent } | { known: false };

type SealPorts = { curves: Curves; random: Random };

export function createSealer(
  ports: SealPorts,
  account: Account,
  workspace: string,
  keyring: Keyring,
): Sealer {
  const { curves, random } = ports;
  /** Sealed here and not yet seen in the log: byte for byte the same, there is nothing to verify or to open. */
  const own = new Map<string, { bytes: Uint8Array; event: MeshEvent }>();

  const remember = (id: string, bytes: Uint8Array, event: MeshEvent) => {
    own.delete(id);
    own.set(id, { bytes, event });
    const [oldest = ""] = own.keys();
    if (own.size > REMEMBERED) own.delete(oldest);
  };

  const ownOf = ({ header, bytes }: SealedRecord) => {
    const known = header.from === account.user ? own.get(header.id) : undefined;
    return known && equalBytes(known.bytes, bytes) ? known : null;
  };

  const contentKeyOf = async (chain: ChainState, header: Header): Promise<Uint8Array | null> =>
    header.alg === "label" ? keyring.contentKey(header.epoch, header.to) : keyring.pair(chain, header);

  return {
    async seal(chain, { id, label, n, put, event, under = null }) {
      const epoch = currentEpoch(chain);
      const receiver = chain.members.get(label);
      const isGuest = chain.members.get(account.user)?.role === "guest";
      if (isGuest && !receiver && !under) throw forMembers();
      if (!epoch || (!isGuest && !keyring.workspaceKey(epoch.number))) {
        throw new MeshError(
          "waiting_for_key",
          "No member has handed over the workspace's key yet.",
          "It comes as soon as one is online.",
        );
      }
      if (receiver && !receiver.active) throw notThere();
      const header: Header = {
        id,
        from: account.user,
        dev: account.device.id,
        to: label,
        n,
        epoch: epoch.number,
        head: chain.head,
        alg: receiver ? "pair" : "label",
        kid: receiver ? kidOf(chain, account.user, label) : under ? String(under.generation) : "",
        ...(put ? { put } : {}),
      };
      const key = under ? labelContentKey(under.key, label) : await contentKeyOf(chain, header);
      if (!key) throw seedMissing();
      const headerBytes = encodeHeader(header);
      const body = sealBody(recordKey(key, workspace, headerBytes), utf8(JSON.stringify(event)), random);
      const signature = await curves.sign(
        account.device.secret,
        recordSignatureInput(workspace, headerBytes, body),
      );
      const record = encodeRecord(headerBytes, signature, body);
      if (!isGuard(header)) remember(id, record, event);
      return record;
    },

    async verify(chain, hashes, record, sequence) {
      const { header, headerBytes, body, signature } = record;
      const device = authorAt(chain, header.from, header.dev, sequence);
      const input = () => recordSignatureInput(workspace, headerBytes, body);
      if (!ownOf(record) && !(await curves.verify(device.key, input(), signature))) {
        throw new MeshError(
          "bad_signature",
          "The record's signature doesn't hold.",
          "Its broker or the way to it changed it.",
        );
      }
      requireSeenHead(hashes, header);
    },

    async openUnder(candidates, record) {
      const { to } = record.header;
      for (const key of candidates) {
        const content = labelContentKey(key, to);
        try {
          const json = openBody(recordKey(content, workspace, record.headerBytes), record.body);
          return { ...parseEvent(json), key };
        } catch (error) {
          if (!(error instanceof MeshError)) throw error;
        }
      }
      return null;
    },

    async open(chain, record) {
      const said = ownOf(record);
      if (said) {
        own.delete(record.header.id);
        return { known: true, event: said.event };
      }
      const key = await contentKeyOf(chain, record.header);
      if (!key) return null;
      const json = openBody(recordKey(key, workspace, record.headerBytes), record.body);
      return parseEvent(json);
    },
  };
}

/** Guests hold no workspace key: they talk to members, and in private topics. */
export function forMembers(): MeshError {
  return new MeshError(
    "not_allowed",
    "Guests write to members and in private topics only.",
    "Ask a member to add you to one: claudemesh topic add TOPIC YOU",
  );
}

function notThere(): MeshError {
  return new MeshError("not_a_member", "The receiver isn't in the workspace.", "See `claudemesh peers`.");
}

/** The sender's chain head must lie on our chain: another one means that the broker shows us two different truths. */
function requireSeenHead(hashes: readonly string[], { head }: Header): void {
  if (!head) throw new MeshError("bad_record", "Only a genesis has no chain head.", "Drop it.");
  const ours = hashes[head.height];
  if (ours === undefined) throw chainWithheld();
  if (ours !== head.hash) throw chainForked();
}

function parseEvent(json: Uint8Array): Opened {
  const value = jsonOf(json);
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : null;
  if (typeof kind !== "string" || !isKind(kind)) return { known: false };
  const parsed = events[kind].safeParse(value);
  return parsed.success ? { known: true, event: parsed.data } : { known: false };
}

/** Whoever holds the key can seal what is none. @throws MeshError bad_data */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch {
    throw new MeshError("bad_data", "What was sealed is no event.", "Drop it.");
  }
}

function isKind(kind: string): kind is keyof typeof events {
  return Object.hasOwn(events, kind);
}
