/** Whether something can be sealed and sent now. */
import { currentEpoch, holdsKey } from "#protocol/chain/state.ts";
import type { Context } from "../context.ts";
import type { Membership } from "../membership/membership.ts";

const EPOCH_LIMIT_MS = 30_000;

/**
 * Sealing needs a link as a member, a verified chain, a fresh epoch and its key. Sets in motion what is missing; a guest,
 * who needs no key and can't begin an epoch, waits for a member who does.
 */
export function createReady(context: Context, propose: Membership["propose"]): () => boolean {
  const { keyring, me } = context;
  return () => {
    const { greeting, trouble, chain } = context;
    const { state } = chain.placed;
    const epoch = state && currentEpoch(state);
    if (greeting?.standing !== "member" || trouble || context.isCatchingUp) return false;
    if (!state || !epoch || !context.isPlaced()) return false;
    const isVerified = state.head.height >= (greeting.chain?.height ?? 0) && context.heads.areReached();
    const member = state.members.get(me);
    const needsKey = member !== undefined && holdsKey(member);
    if (!isVerified || (needsKey && !keyring.workspaceKey(epoch.number))) return false;
    if (state.stale && needsKey) {
      propose(async (now) => (now.stale ? keyring.newEpoch(now) : null), EPOCH_LIMIT_MS).catch(
        context.failed,
      );
    }
    return !state.stale;
  };
}
