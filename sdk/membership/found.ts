/** A new workspace: its genesis and its first epoch, made here; the broker learns of them when the link is up. */
import type { ChainEntry } from "#protocol/chain/entries.ts";
import type { ChainState } from "#protocol/chain/state.ts";
import { createRecordIds } from "#protocol/ids.ts";
import { decodeRecord } from "#protocol/record.ts";
import { type Account, sealingPair } from "../account/account.ts";
import type { PeerPorts } from "../ports.ts";
import { openReplica } from "../replica/replica.ts";
import { type ChainView, draftGenesis, extend, nextPlace, signEntry } from "./chain.ts";
import { createKeyring } from "./keyring.ts";

/** Answers the workspace's id; its database holds the entries. */
export async function foundWorkspace(ports: PeerPorts, account: Account): Promise<string> {
  const draft = draftGenesis(ports, account);
  const { workspace } = draft;
  const sealing = await sealingPair(ports, account, workspace);
  const keyring = createKeyring(ports, workspace, account);
  const newId = createRecordIds(ports.clock, ports.random);
  const signed: Uint8Array[] = [];

  const append = async (
    view: ChainView,
    entry: ChainEntry,
  ): Promise<{ view: ChainView; state: ChainState }> => {
    const n = signed.length + 1;
    const bytes = await signEntry(ports, account, workspace, nextPlace(view, newId(), n), entry);
    signed.push(bytes);
    const next = (await extend(ports, workspace, view, view, decodeRecord(bytes), n)).view;
    if (!next.state) throw new Error("an admitted entry gives a state");
    return { view: next, state: next.state };
  };

  const genesis = await append({ state: null, hashes: [] }, draft.entry(sealing));
  await append(genesis.view, await keyring.newEpoch(genesis.state));

  const replica = openReplica(ports.openDatabase, workspace);
  replica.db.transaction(() => {
    for (const [height, bytes] of signed.entries()) replica.putChain(height, null, bytes);
  });
  replica.db.close();
  return workspace;
}
