/**
 * Judges one chain entry against the state before it, and answers the state after it. Broker and every daemon run
 * this same judgement; it refuses, with a named error, whatever is not exactly the next entry by somebody entitled.
 * Expiry of invites is the broker's to enforce: only it has the clock that counts.
 */
import { MeshError } from "../errors.ts";
import { CHAIN } from "../ids.ts";
import type { Curves } from "../ports.ts";
import { recordHash, type SealedRecord } from "../record.ts";
import { type Case, invalid } from "./case.ts";
import { admitDevice, admitDeviceRevoke } from "./devices.ts";
import { type ChainEntry, decodeEntry } from "./entries.ts";
import { admitEpoch } from "./epochs.ts";
import { admitGenesis, admitInvite, admitJoin, admitRevoke } from "./join.ts";
import { admitMigrate } from "./migrate.ts";
import { admitLeave, admitRemove, admitRole } from "./roles.ts";
import { admitSeed } from "./seeds.ts";
import { type ChainState, currentEpoch } from "./state.ts";
import { admitAccept, admitOffer } from "./transfer.ts";

/**
 * @throws MeshError chain_invalid, chain_conflict, bad_signature, wrong_author, unknown_device, device_revoked,
 * not_allowed, not_found, conflict, invite_…
 */
export async function admit(
  curves: Curves,
  workspace: string,
  state: ChainState | null,
  record: SealedRecord,
  sequence: number,
): Promise<ChainState> {
  const { header } = record;
  if (header.to !== CHAIN || header.alg !== "none" || header.put) throw invalid("it is not a chain entry");
  const entry = decodeEntry(record.body);
  const at: Case = { curves, workspace, record, sequence };
  if (!state) {
    if (entry.type !== "genesis") throw invalid("a chain begins with its genesis");
    return admitGenesis(at, entry);
  }
  if (header.head?.height !== state.head.height || header.head.hash !== state.head.hash) {
    throw new MeshError(
      "chain_conflict",
      "The chain has moved on since this entry was made.",
      "Make it anew on the current head.",
    );
  }
  if (header.epoch !== (currentEpoch(state)?.number ?? 0)) throw invalid("it names another epoch");
  const next = await admitNext(at, state, entry);
  return { ...next, head: { height: state.head.height + 1, hash: recordHash(record.bytes) } };
}

function admitNext(at: Case, state: ChainState, entry: ChainEntry): Promise<ChainState> {
  switch (entry.type) {
    case "genesis":
      throw invalid("a chain has one genesis");
    case "device":
      return admitDevice(at, state, entry);
    case "device-revoke":
      return admitDeviceRevoke(at, state, entry);
    case "seed":
      return admitSeed(at, state, entry);
    case "invite":
      return admitInvite(at, state, entry);
    case "revoke":
      return admitRevoke(at, state, entry);
    case "join":
      return admitJoin(at, state, entry);
    case "leave":
      return admitLeave(at, state);
    case "remove":
      return admitRemove(at, state, entry);
    case "role":
      return admitRole(at, state, entry);
    case "offer":
      return admitOffer(at, state, entry);
    case "accept":
      return admitAccept(at, state);
    case "migrate":
      return admitMigrate(at, state, entry);
    case "epoch":
      return admitEpoch(at, state, entry);
  }
}
